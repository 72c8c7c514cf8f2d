using System.Data.Common;
using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Inserts tasks that may conflict: by a dedupe key, an ordering key, or the tick of a schedule.</summary>
internal sealed partial class SqlServerTaskStore
{
    // A list of tasks locks their keys in order, as far as SQL Server follows it. Existing ids and keys are left unchanged. One that
    // another transaction is writing is not visible: the insert waits for it at the unique index and fails, and the whole transaction is
    // retried.
    private static readonly Statement InsertTasksSql = new(
        $"""
        {AllOrNothing}
        declare @free table (id binary(16) primary key);
        insert into @free
        select r.id from {Rows.Table("@ready", TaskColumn.Ready)} as r
        where not exists (select 1 from tasks t with (forceseek) where t.id = r.id)
          and not exists (
            select 1 from dedupe_keys d with (forceseek) where d.queue = r.queue and d.dedupe_key = r.dedupe_key);
        insert into dedupe_keys (queue, dedupe_key, task_id)
        select r.queue, r.dedupe_key, r.id from {Rows.Table("@ready", TaskColumn.Ready)} as r
        where r.dedupe_key is not null and r.id in (select id from @free) order by r.queue, r.dedupe_key;
        {InsertText(only: "where n.id in (select id from @free) ", output: "\noutput inserted.id")}
        """,
        Json("@tasks"), Json("@ready"), Json("@tags"));

    private static readonly Statement HoldersSql = new(
        $"""
        {AllOrNothing}
        declare @wanted table (id binary(16) primary key);
        insert into @wanted
        select d.task_id from {Rows.Table("@keys", "queue nvarchar(128)", $"dedupe_key {SqlServerTaskDbContext.ExactType}")} as k
        inner loop join dedupe_keys d {Sought} on d.queue = k.queue and d.dedupe_key = k.dedupe_key;
        {LockOrderingKeysText($"from @wanted w inner loop join tasks k {Sought} on k.id = w.id where k.ordering_key is not null")}
        {LockTasksText}
        {ReadFound(TaskColumn.Met, TaskTable.Ready)}
        {ReadFound(TaskColumn.Met, TaskTable.Running)}
        """,
        Json("@keys"));

    private static readonly Statement ExistingSql = new(
        $"""
        select t.id, {Rows.Read("owner", "t.")}, o.delete_at from {Rows.Table("@ids", "id binary(16)")} as k
        inner loop join tasks t {Sought} on t.id = k.id left loop join outcomes o {Sought} on o.id = t.id
        """,
        Json("@ids"));

    private static readonly Statement OverwriteTasksSql = new(
        $"""
        update t set payload = u.payload, name = u.name
        from {Rows.Table("@rows", "id binary(16)", "payload nvarchar(max)", $"name {SqlServerTaskDbContext.ExactType}")} as u
        inner loop join tasks t {Sought} on t.id = u.id
        """,
        Json("@rows"));

    private static readonly Statement OverwriteReadySql = new(
        $"""
        update r set due_at = u.due_at, expires_at = u.expires_at, dispatch_at = u.dispatch_at, octets = u.octets, name = u.name,
            progress = case when u.refilled = 1 then null else r.progress end
        from {Rows.Table("@rows", "id binary(16)", "due_at datetime2(6)", "expires_at datetime2(6)", "dispatch_at datetime2(6)",
            "octets int", "refilled bit", $"name {SqlServerTaskDbContext.ExactType}")} as u
        inner loop join ready r {Sought} on r.id = u.id
        """,
        Json("@rows"));

    private static readonly Statement TakeTickSql = new(
        "set nocount off; update schedules set next_at = @next, last_at = @at where id = @id and next_at = @at", Int("@id"), Time("@at"),
        Time("@next"));

    private static readonly Statement TakeLinesSql = new(
        "set nocount off; update batches set lines_done = @to, bytes_done = @bytes, version = version + 1 where id = @id and lines_done = "
            + $"@from and state = {SqlStates.BatchInProgress}",
        Id("@id"), Int("@from"), Int("@to"), BigInt("@bytes"));

    private static readonly Statement BadLinesSql = new(
        $"""
        insert into batch_bad_lines (batch_id, line, custom_id, code, message)
        select @id, l.line, l.custom_id, l.code, l.message
        from {Rows.Table("@lines", "line int", "custom_id nvarchar(max)", "code nvarchar(64)", "message nvarchar(max)")} as l
        """,
        Id("@id"), Json("@lines"));

    /// <summary>Null if the holder of a key ended between two statements: the transaction must be retried.</summary>
    private static async Task<Inserted?> InsertOrderedAsync(SqlConnection connection, SqlTransaction transaction,
        IReadOnlyList<NewTask> tasks, InsertStep? step)
    {
        tasks = [.. tasks.Select(t => t with { Task = t.Task.Copy() })]; // a retry must find them unchanged
        if (step is not null && !await TakeStepAsync(connection, transaction, step))
            return new Inserted(null);
        await LockOrderingKeysAsync(connection, transaction, tasks.Select(t => t.Task));
        List<TaskState> distinct = [.. tasks.Select(t => t.Task).DistinctBy(t => t.CorrelationId)];
        var taken = await ExistingAsync(connection, transaction, distinct);
        // The first task of each key among those with a free id: what PostgreSQL determines by inserting one after the other.
        var rows = distinct.Where(t => !taken.ContainsKey(t.CorrelationId))
            .DistinctBy(t => t.DedupeKey is { } key ? (t.Queue, key) : (t.Queue, t.CorrelationId.ToString("N") + "\0"));
        HashSet<Guid> inserted =
            [.. await ReadAsync(connection, transaction, InsertTasksSql, r => StoredValue.Id(r, 0), NewRows([.. rows]))];
        var holders = inserted.Count == tasks.Count ? [] : await HoldersAsync(connection, transaction, tasks.Select(t => t.Task));
        if (DuplicateRules.Answer(tasks, inserted, taken, holders) is not { } answers)
            return null;
        List<TaskState> overwritten = [.. answers.Where(a => a.Result == SubmitStatus.Overwritten).Select(a => a.Task!).Distinct()];
        if (overwritten.Count > 0)
            await OverwriteAsync(connection, transaction, overwritten, DuplicateRules.Refilled(tasks, answers));
        DuplicateRules.DemandNew(step, answers);
        var changed = DuplicateRules.Changed(answers);
        await PromoteAsync(connection, transaction, TaskChanges.OrderingKeysOf(changed));
        await AddHistoryAsync(connection, transaction, changed);
        await AppendAsync(connection, transaction, [.. changed.SelectMany(t => t.Events)]);
        await transaction.CommitAsync();
        return new Inserted(answers);
    }

    /// <summary>The results of an insert; null if another process applied the step.</summary>
    private sealed record Inserted(IReadOnlyList<SubmitResult>? Answers);

    private static async Task<bool> TakeStepAsync(SqlConnection connection, SqlTransaction transaction, InsertStep step)
    {
        var rows = step switch
        {
            ScheduleTick tick => await ExecuteAsync(connection, transaction, TakeTickSql, tick.ScheduleId, tick.At, tick.Next),
            BatchStep lines => await ExecuteAsync(connection, transaction, TakeLinesSql, lines.BatchId, lines.From, lines.To, lines.Bytes),
            _ => throw new ArgumentOutOfRangeException(nameof(step)),
        };
        if (rows == 1 && step is BatchStep { Bad: { Count: > 0 } bad } batch)
            await ExecuteAsync(connection, transaction, BadLinesSql, batch.BatchId,
                Rows.Json(bad.Select(l => (object?[])[l.Line, l.CustomId, l.Code, l.Message])));
        return rows == 1;
    }

    private static async Task OverwriteAsync(
        SqlConnection connection, SqlTransaction transaction, List<TaskState> tasks, List<TaskState> refilled)
    {
        await ExecuteAsync(connection, transaction, OverwriteReadySql,
            Rows.Json(tasks.Select(t => (object?[])[t.CorrelationId, t.DueAt, t.ExpiresAt, t.DispatchAt, t.Octets,
                refilled.Contains(t), t.Name])));
        if (refilled.Count > 0)
            await ExecuteAsync(connection, transaction, OverwriteTasksSql,
                Rows.Json(refilled.Select(t => (object?[])[t.CorrelationId, t.Payload, t.Name])));
    }

    private static async Task<Dictionary<Guid, TakenId>> ExistingAsync(
        SqlConnection connection, SqlTransaction transaction, IEnumerable<TaskState> tasks) =>
        (await ReadAsync(connection, transaction, ExistingSql, ReadTaken, Rows.Json(tasks.Select(t => t.CorrelationId))))
            .ToDictionary(t => t.Id);

    private static TakenId ReadTaken(DbDataReader row) =>
        new(StoredValue.Id(row, 0), row.IsDBNull(1) ? null : row.GetString(1), row.IsDBNull(2) ? null : StoredValue.Time(row, 2));

    private static async Task<Dictionary<(string, string), TaskState>> HoldersAsync(
        SqlConnection connection, SqlTransaction transaction, IEnumerable<TaskState> tasks)
    {
        var keys = Rows.Json(tasks.Where(t => t.DedupeKey is not null).Select(t => (t.Queue, t.DedupeKey)).Distinct()
            .Select(k => (object?[])[k.Queue, k.DedupeKey]));
        var holders = await ReadAsync(connection, transaction, HoldersSql, r => TaskColumn.ReadRow(TaskColumn.Met, r), keys);
        return holders.ToDictionary(t => (t.Queue, t.DedupeKey!));
    }
}
