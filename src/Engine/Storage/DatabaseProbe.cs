using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace TaskQueue.Engine.Storage;

/// <summary>Asks the database for next to nothing, over a connection of its own: a pool whose connections all hang says nothing of the database.</summary>
internal sealed class DatabaseProbe(DatabaseAddress address, TimeProvider time)
{
    /// <summary>Whether it answers in time.</summary>
    public async Task<bool> AnswersAsync(TimeSpan patience)
    {
        var asking = AskAsync(patience);
        try
        {
            await asking.WaitAsync(patience, time);
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

    private async Task AskAsync(TimeSpan patience)
    {
        await using var connection = Connection((int)Math.Ceiling(patience.TotalSeconds));
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "select 1";
        await command.ExecuteScalarAsync();
    }

    private DbConnection Connection(int seconds) =>
        address.Provider switch
        {
            DatabaseProvider.Postgres => new NpgsqlConnection(
                new NpgsqlConnectionStringBuilder(address.ConnectionString) { Pooling = false, Timeout = seconds, CommandTimeout = seconds }.ConnectionString),
            DatabaseProvider.SqlServer => SqlServerAssembly.Load().Connect(address.ConnectionString, seconds),
            _ => new SqliteConnection(address.ConnectionString),
        };
}
