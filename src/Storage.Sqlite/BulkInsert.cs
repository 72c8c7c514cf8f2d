using Microsoft.Data.Sqlite;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string TakeTickSql = "update schedules set next_at = @2, last_at = @1 where id = @0 and next_at = @1";

    private const string TakeLinesSql =
        $"update batches set lines_done = @2, bytes_done = @3, version = version + 1 where id = @0 and lines_done = @1 and state = "
            + $"{SqlStates.BatchInProgress}";

    private const string BadLinesSql =
        "insert into batch_bad_lines (batch_id, line, custom_id, code, message) values (@0, @1, @2, @3, @4)";

    private const string ExistingSql = "select owner, delete_at from tasks where id = @0";

    private static readonly string InsertTaskSql =
        $"insert into tasks ({TaskColumn.List(TaskColumn.All)}) values ({Placeholders(TaskColumn.All.Length)}) on conflict do nothing";

    private static readonly string OverwriteSql = UpdateOf(TaskColumn.Overwritten);

    private static readonly string HolderSql =
        $"select {TaskColumn.List(TaskColumn.All)} from tasks where queue = @0 and dedupe_key = @1 and dedupe_key is not null and state "
            + $"in {SqlStates.Unfinished}";

    public Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null) =>
        UseAsync<IReadOnlyList<SubmitResult>?>(() => step is null || TakeStep(step) ? Insert(tasks, step) : null, write: true);

    private bool TakeStep(InsertStep step)
    {
        if (step is ScheduleTick tick)
            return Execute(TakeTickSql, tick.ScheduleId, Micros.FromTime(tick.At), tick.Next is { } next ? Micros.FromTime(next)
                : DBNull.Value) == 1;

        var lines = (BatchStep)step;
        if (Execute(TakeLinesSql, lines.BatchId, lines.From, lines.To, lines.Bytes) == 0)
            return false;
        foreach (var bad in lines.Bad)
            Execute(BadLinesSql, lines.BatchId, bad.Line, OrNull(bad.CustomId), bad.Code, bad.Message);
        return true;
    }

    private List<SubmitResult> Insert(IReadOnlyList<NewTask> tasks, InsertStep? step)
    {
        tasks = [.. tasks.Select(t => t with { Task = t.Task.Copy() })]; // a retry must find them unchanged
        var inserted = new HashSet<Guid>(tasks.Count);
        var taken = new Dictionary<Guid, TakenId>();
        var holders = new Dictionary<(string, string), TaskState>();
        foreach (var task in tasks.Select(t => t.Task).DistinctBy(t => t.CorrelationId))
        {
            if (InsertRow(task) == 1)
                inserted.Add(task.CorrelationId);
            else if (Query(ExistingSql, r => ReadTaken(task.CorrelationId, r), TaskColumn.Id.SqliteValue(task)) is [var other])
                taken.Add(task.CorrelationId, other);
            else if (task.DedupeKey is { } key && !holders.ContainsKey((task.Queue, key)))
                holders[(task.Queue, key)] = Query(HolderSql, r => TaskColumn.ReadRow(TaskColumn.All, r), task.Queue, key)[0];
        }

        var answers = DuplicateRules.Answer(tasks, inserted, taken, holders)!; // there is a single writer, so no holder has ended
        DuplicateRules.DemandNew(step, answers);
        var changed = DuplicateRules.Changed(answers);
        foreach (var holder in answers.Where(a => a.Result == SubmitStatus.Overwritten).Select(a => a.Task!).Distinct())
            Overwrite(holder);
        Promote(TaskChanges.OrderingKeysOf(changed));
        Append([.. changed.SelectMany(t => t.Events)]);
        return answers;
    }

    private static TakenId ReadTaken(Guid id, SqliteDataReader row) =>
        new(id, row.IsDBNull(0) ? null : row.GetString(0), row.IsDBNull(1) ? null : Micros.ToTime(row.GetInt64(1)));

    private void Overwrite(TaskState task) =>
        Execute(OverwriteSql, [TaskColumn.Id.SqliteValue(task), .. TaskColumn.Overwritten.Select(c => c.SqliteValue(task))]);

    private int InsertRow(TaskState task) => Execute(InsertTaskSql, [.. TaskColumn.All.Select(c => c.SqliteValue(task))]);
}
