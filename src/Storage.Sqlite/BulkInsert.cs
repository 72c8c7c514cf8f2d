using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string TakeTickSql = "update schedules set next_at = @next, last_at = @at where id = @id and next_at = @at";

    private const string TakeLinesSql =
        "update batches set lines_done = @to, bytes_done = @bytes, version = version + 1 where id = @id and lines_done = @from and state = "
            + $"{SqlStates.BatchInProgress}";

    private const string BadLinesSql =
        "insert into batch_bad_lines (batch_id, line, custom_id, code, message) values (@batch_id, @line, @custom_id, @code, @message)";

    private const string ExistingSql = "select t.owner, o.delete_at from tasks t left join outcomes o on o.id = t.id where t.id = @id";

    private static readonly RowStatement InsertTaskSql = RowStatement.Insert(TaskTable.Tasks, " on conflict do nothing");

    private const string InsertTagSql = "insert into task_tags (tag, task_id, owner, queue) values (@tag, @task_id, @owner, @queue)";

    private const string OverwriteTaskSql = "update tasks set payload = @payload, name = @name where id = @id";

    private const string OverwriteReadySql =
        """
        update ready set due_at = @due_at, expires_at = @expires_at, dispatch_at = @dispatch_at, octets = @octets, name = @name,
            progress = case when @refilled then null else progress end
        where id = @id
        """;

    private static readonly string HolderSql = $"{HolderIn(TaskTable.Ready)}\nunion all\n{HolderIn(TaskTable.Running)}";

    private static string HolderIn(TaskTable table) =>
        $"""
        select {TaskViews.Select(TaskColumn.Met, table, Missing)}
        from dedupe_keys d join {TaskMove.NameOf(table)} r on r.id = d.task_id join tasks t on t.id = r.id
        where d.queue = @queue and d.dedupe_key = @dedupe_key
        """;

    public Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null) =>
        UseAsync<IReadOnlyList<SubmitResult>?>(() => step is null || TakeStep(step) ? Insert(tasks, step) : null, write: true);

    private bool TakeStep(InsertStep step)
    {
        if (step is ScheduleTick tick)
            return Execute(TakeTickSql, ("@id", tick.ScheduleId), ("@at", Micros.FromTime(tick.At)), ("@next", OrNull(tick.Next))) == 1;

        var lines = (BatchStep)step;
        if (Execute(TakeLinesSql, ("@id", lines.BatchId), ("@from", lines.From), ("@to", lines.To), ("@bytes", lines.Bytes)) == 0)
            return false;
        foreach (var bad in lines.Bad)
        {
            Execute(BadLinesSql, ("@batch_id", lines.BatchId), ("@line", bad.Line), ("@custom_id", OrNull(bad.CustomId)),
                ("@code", bad.Code), ("@message", bad.Message));
        }

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
            if (InsertNew(task))
                inserted.Add(task.CorrelationId);
            else if (Existing(task.CorrelationId) is { } other)
                taken.Add(task.CorrelationId, other);
            else if (task.DedupeKey is { } key && !holders.ContainsKey((task.Queue, key)))
                holders[(task.Queue, key)] = Query(
                    HolderSql, r => TaskColumn.ReadRow(TaskColumn.Met, r), ("@queue", task.Queue), ("@dedupe_key", key))[0];
        }

        var answers = DuplicateRules.Answer(tasks, inserted, taken, holders)!; // there is a single writer, so no holder has ended
        DuplicateRules.DemandNew(step, answers);
        var changed = DuplicateRules.Changed(answers);
        var refilled = DuplicateRules.Refilled(tasks, answers);
        foreach (var holder in refilled)
            Execute(OverwriteTaskSql, ("@id", holder.CorrelationId), ("@payload", holder.Payload), ("@name", OrNull(holder.Name)));
        foreach (var holder in answers.Where(a => a.Result == SubmitStatus.Overwritten).Select(a => a.Task!).Distinct())
            Overwrite(holder, refilled.Contains(holder));
        Promote(TaskChanges.OrderingKeysOf(changed));
        WriteHistory(changed);
        Append(changed.SelectMany(t => t.Events));
        return answers;
    }

    /// <returns>False if the id exists, or another task holds the dedupe key.</returns>
    private bool InsertNew(TaskState task)
    {
        if (task.DedupeKey is not null && !TakeKey(task))
            return false;
        if (InsertRow(task))
            return true;
        if (task.DedupeKey is { } key)
            ReleaseKey(task.Queue, key, task.CorrelationId);
        return false;
    }

    /// <returns>False if the id exists.</returns>
    private bool InsertRow(TaskState task)
    {
        if (Execute(InsertTaskSql, task) == 0)
            return false;
        TaskSize.Measure([task]);
        Execute(EnterSql[TaskTable.Ready], task);
        foreach (var tag in TaskTag.Of([task]))
        {
            Execute(InsertTagSql, ("@tag", tag.Tag), ("@task_id", tag.TaskId), ("@owner", OrNull(tag.Owner)), ("@queue", tag.Queue));
        }

        return true;
    }

    private TakenId? Existing(Guid id) =>
        Query(ExistingSql, r => new TakenId(id, r.IsDBNull(0) ? null : r.GetString(0), ReadTime(r, 1)), ("@id", id)).SingleOrDefault();

    private void Overwrite(TaskState task, bool refilled)
    {
        Execute(OverwriteReadySql, ("@id", task.CorrelationId), ("@due_at", Micros.FromTime(task.DueAt)),
            ("@expires_at", OrNull(task.ExpiresAt)), ("@dispatch_at", OrNull(task.DispatchAt)), ("@octets", task.Octets),
            ("@name", OrNull(task.Name)), ("@refilled", refilled));
    }
}
