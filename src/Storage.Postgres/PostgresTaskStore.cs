using Npgsql;
using NpgsqlTypes;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// The store on PostgreSQL. Every transaction that appends events first locks one of the event partitions until it ends: ids within a
/// partition thus become visible in order, and the outbox dispatcher needs only an offset. Locks are always acquired in the same order, so
/// that transactions do not deadlock: dedupe keys, ids of new tasks, ordering keys, rows of tasks, dead letters, the partition. No lock is
/// held while a round trip is under way, but for those of ordering keys and of tasks with dedupe keys.
/// </summary>
internal sealed partial class PostgresTaskStore(NpgsqlDataSource source, TimeProvider time)
    : ITaskStore, IQueueStore, ICallbackStore, IBacklogStore
{
    /// <summary>First key of the advisory locks ("task"); the second is the partition.</summary>
    internal const int LockSpace = 0x7461736B;

    /// <summary>First key of the advisory locks of dead letters; the second is the hash of their queue.</summary>
    private const int DeadLettersLockSpace = LockSpace + 1;

    /// <summary>First key of the advisory locks of serialized claims; the second is derived from their targets.</summary>
    private const int TargetsSpace = LockSpace + 2;

    /// <summary>Two transactions rarely pick the same partition; if they do, one waits for the other's commit.</summary>
    private static int PickPartition() => Random.Shared.Next(TaskEvent.Partitions);

    private static NpgsqlBatchCommand Command(string sql, params NpgsqlParameter[] parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.Add(parameter);
        return command;
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };

    private static NpgsqlParameter Nullable(int? value) =>
        new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer };

    private static NpgsqlParameter Nullable(string? value) =>
        new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text };

    private static NpgsqlParameter Nullable(DateTime? value) =>
        new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz };

    private async Task<DateTime?> ReadTimeAsync(string sql, params NpgsqlParameter[] parameters)
    {
        await using var command = source.CreateCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.Add(parameter);
        return await command.ExecuteScalarAsync() as DateTime?;
    }
}
