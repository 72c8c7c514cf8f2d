using System.Data.Common;
using TaskQueue.Engine.Health;

namespace TaskQueue.Storage;

/// <summary>Asks over a connection of its own: a pool whose connections all hang says nothing of the database.</summary>
/// <param name="connect">Makes a closed connection that no pool keeps, with this many seconds to connect, and for a command.</param>
/// <param name="time">The clock.</param>
internal sealed class DatabaseProbe(Func<int, DbConnection> connect, TimeProvider time) : IDatabaseProbe
{
    public async Task<bool> AnswersAsync(TimeSpan timeout)
    {
        var asking = AskAsync(timeout);
        try
        {
            await asking.WaitAsync(timeout, time);
            return true;
        }
#pragma warning disable CA1031 // whatever it is, there is no database for us at the moment
        catch (Exception)
#pragma warning restore CA1031
        {
            _ = asking.ContinueWith(static t => _ = t.Exception, TaskScheduler.Default);
            return false;
        }
    }

    private async Task AskAsync(TimeSpan timeout)
    {
        await using var connection = connect((int)Math.Ceiling(timeout.TotalSeconds));
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "select 1";
        await command.ExecuteScalarAsync();
    }
}
