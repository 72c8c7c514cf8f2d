using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using TaskQueue.Engine.Logs;
using TaskQueue.Storage.Logs;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore : ITaskLogWrites
{
    private const string AddLogsSql =
        """
        insert into task_logs (task_id, number, lines, bytes_before, bytes, attempt, entries)
        select r.value ->> 0, r.value ->> 1, r.value ->> 2, r.value ->> 3, r.value ->> 4, r.value ->> 5, r.value ->> 6
        from json_each(@rows) as r
        """;

    /// <summary>Extended codes of a primary key and of a unique key that exist.</summary>
    private const int TakenKey = 1555, TakenUnique = 2067;

    public async Task<bool> AddLogsAsync(IReadOnlyList<TaskLogRow> rows, CancellationToken cancellationToken)
    {
        var text = new JsonArray([.. rows.Select(r => new JsonArray(
            r.TaskId.ToString().ToUpperInvariant(), r.Number, r.Count, r.BytesBefore, r.Bytes, r.Attempt, r.Lines))]).ToJsonString();
        try
        {
            await UseAsync(() => Execute(AddLogsSql, ("@rows", text)), write: true);
            return true;
        }
        catch (SqliteException taken) when (taken.SqliteExtendedErrorCode is TakenKey or TakenUnique)
        {
            return false;
        }
    }
}
