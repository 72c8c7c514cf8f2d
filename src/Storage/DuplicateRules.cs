using TaskQueue.Contracts;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>The effect of a duplicate on the holder of its dedupe key (moab.md 7), the same in every store.</summary>
internal static class DuplicateRules
{
    /// <summary>Rejects batch items whose id is taken by another task: they would be lost, so the step is not applied.</summary>
    /// <exception cref="TaskIdTakenException">An id is taken.</exception>
    public static void DemandNew(InsertStep? step, IEnumerable<SubmitResult> answers)
    {
        if (step is BatchStep && answers.Any(a => a.Result == SubmitStatus.IdTaken))
            throw new TaskIdTakenException();
    }

    /// <summary>The tasks that an insert wrote: new ones, and holders that were overwritten.</summary>
    public static List<TaskState> Changed(IEnumerable<SubmitResult> answers) =>
        [.. answers.Where(a => a.Result is SubmitStatus.Accepted or SubmitStatus.Overwritten).Select(a => a.Task!).Distinct()];

    /// <summary>Overwritten tasks that got a payload, measured anew. That of others was not read: <see cref="TaskColumn.Met"/>.</summary>
    public static List<TaskState> Refilled(IReadOnlyList<NewTask> tasks, IReadOnlyList<SubmitResult> answers)
    {
        List<TaskState> refilled = [.. answers.Where((a, i) => a.Result == SubmitStatus.Overwritten
            && tasks[i].Overwrite.HasFlag(OverwriteFields.Payload)).Select(a => a.Task!).Distinct()];
        TaskSize.Measure(refilled);
        return refilled;
    }

    /// <summary>The result of each task, in order; changes waiting holders in memory.</summary>
    /// <param name="tasks">The submitted tasks.</param>
    /// <param name="inserted">Ids that were inserted, each by the first task that has it.</param>
    /// <param name="taken">The existing ids: their owner, and when they are deleted.</param>
    /// <param name="holders">Waiting and running tasks by queue and key, locked.</param>
    /// <returns>Null if the holder of a key has ended in the meantime.</returns>
    /// <exception cref="TaskIdConflictException">An id belongs to another tenant or to a deleted task.</exception>
    public static List<SubmitResult>? Answer(
        IReadOnlyList<NewTask> tasks, HashSet<Guid> inserted, IReadOnlyDictionary<Guid, TakenId> taken,
        Dictionary<(string Queue, string Key), TaskState> holders)
    {
        var answers = new List<SubmitResult>(tasks.Count);
        var seen = new HashSet<Guid>(tasks.Count);
        // The last one was accepted now, the others as much earlier as keeps their order; a step may have none.
        var now = tasks.Select(t => t.Task.CreatedAt).DefaultIfEmpty().Max();
        foreach (var submitted in tasks)
        {
            var task = submitted.Task;
            var isFirst = seen.Add(task.CorrelationId);
            if (isFirst && inserted.Contains(task.CorrelationId))
                answers.Add(Accept(task, holders));
            else if (taken.TryGetValue(task.CorrelationId, out var other) && !other.Is(task, now))
                throw new TaskIdConflictException(task.CorrelationId);
            else if (!isFirst || other is not null)
                answers.Add(new SubmitResult(task.CorrelationId, SubmitStatus.IdTaken, null));
            else if (task.DedupeKey is { } key && holders.TryGetValue((task.Queue, key), out var holder))
                answers.Add(Meet(submitted, holder, now));
            else
                return null;
        }

        return answers;
    }

    private static SubmitResult Accept(TaskState task, Dictionary<(string Queue, string Key), TaskState> holders)
    {
        task.Accept();
        if (task.DedupeKey is { } key)
            holders[(task.Queue, key)] = task; // a later one of the same list may overwrite it
        return new SubmitResult(task.CorrelationId, SubmitStatus.Accepted, task);
    }

    private static SubmitResult Meet(NewTask submitted, TaskState holder, DateTime now)
    {
        var (task, overwrite) = submitted;
        if (overwrite == OverwriteFields.None)
            return new SubmitResult(holder.CorrelationId, SubmitStatus.Skipped, null);
        if (holder.State == TaskStates.Running)
            return new SubmitResult(holder.CorrelationId, SubmitStatus.Running, holder);
        holder.Settings = task.Settings;
        if (overwrite.HasFlag(OverwriteFields.Payload))
        {
            holder.Payload = submitted.PayloadFor?.Invoke(holder.CorrelationId) ?? task.Payload;
            holder.Name = task.Name; // the handler of the new payload
            holder.Progress = null; // a checkpoint says how far the work on the old payload was
        }

        if (overwrite.HasFlag(OverwriteFields.ScheduledAt))
        {
            holder.DueAt = task.DueAt;
            holder.DispatchAt = holder.Push ? task.DueAt : null;
        }

        if (overwrite.HasFlag(OverwriteFields.ExpiresAt))
            holder.ExpiresAt = task.ExpiresAt;
        holder.Record(TaskEventType.Overwritten, now, frees: holder.OrderingKey is not null);
        return new SubmitResult(holder.CorrelationId, SubmitStatus.Overwritten, holder);
    }
}

/// <summary>A row that has the id of a new task.</summary>
/// <param name="Id">The id.</param>
/// <param name="Owner">Its owner.</param>
/// <param name="DeleteAt">When it is deleted, though the row may still exist.</param>
internal sealed record TakenId(Guid Id, string? Owner, DateTime? DeleteAt)
{
    /// <summary>Whether it is the new task itself, submitted again.</summary>
    public bool Is(TaskState task, DateTime now) => Owner == task.Owner && !(DeleteAt <= now);
}
