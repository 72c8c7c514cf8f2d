using System.Data.Common;
using TaskQueue.Engine.Health;

namespace TaskQueue.Storage;

/// <summary>Probes over a connection of its own: a pool whose connections all hang says nothing about the database.</summary>
/// <param name="connect">Creates a closed, unpooled connection with this timeout in seconds for connecting and for commands.</param>
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
#pragma warning disable CA1031 // any exception means that the database is unreachable for now
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
