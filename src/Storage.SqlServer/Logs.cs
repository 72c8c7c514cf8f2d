using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Logs;
using TaskQueue.Storage.Logs;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore : ITaskLogWrites
{
    private static readonly Statement AddLogsSql = new(
        $"""
        insert into task_logs (task_id, number, lines, bytes_before, bytes, attempt, entries)
        select r.task_id, r.number, r.lines, r.bytes_before, r.bytes, r.attempt, r.entries
        from {Rows.Table("@rows", "task_id binary(16)", "number int", "lines int", "bytes_before bigint", "bytes int", "attempt int",
            "entries nvarchar(max)")} as r
        order by r.task_id, r.number
        """,
        Json("@rows"));

    public async Task<bool> AddLogsAsync(IReadOnlyList<TaskLogRow> rows, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            await using var connection = await OpenAsync();
            await ExecuteAsync(connection, null, AddLogsSql, Rows.Json(rows.Select(r =>
                (object?[])[r.TaskId, r.Number, r.Count, r.BytesBefore, r.Bytes, r.Attempt, r.Lines])));
            return true;
        }
        catch (SqlException taken) when (SqlServerFaults.IsDuplicate(taken) || SqlServerFaults.IsRace(taken))
        {
            return false;
        }
    }
}
