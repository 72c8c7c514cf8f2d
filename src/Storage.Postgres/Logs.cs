using Npgsql;
using TaskQueue.Engine.Logs;
using TaskQueue.Storage.Logs;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore : ITaskLogWrites
{
    private const string AddLogsSql =
        """
        insert into task_logs (task_id, number, lines, bytes_before, bytes, attempt, entries)
        select r.* from unnest($1, $2, $3, $4, $5, $6, $7) as r(task_id, number, lines, bytes_before, bytes, attempt, entries)
        order by r.task_id, r.number
        """;

    public async Task<bool> AddLogsAsync(IReadOnlyList<TaskLogRow> rows, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand(AddLogsSql);
        Add(r => r.TaskId);
        Add(r => r.Number);
        Add(r => r.Count);
        Add(r => r.BytesBefore);
        Add(r => r.Bytes);
        Add(r => r.Attempt);
        Add(r => r.Lines);
        try
        {
            await command.ExecuteNonQueryAsync(cancellationToken);
            return true;
        }
        catch (PostgresException taken) when (taken.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DeadlockDetected)
        {
            return false;
        }

        void Add<T>(Func<TaskLogRow, T> value) => command.Parameters.Add(Value<T[]>([.. rows.Select(value)]));
    }
}
