using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage;

/// <summary>What a duplicate does to the holder of its dedupe key (moab.md 7), the same for every store.</summary>
internal static class DuplicateRules
{
    /// <summary>A line of a batch whose id another task has would be lost: then the step is not taken.</summary>
    /// <exception cref="TaskIdTakenException">There is one.</exception>
    public static void DemandNew(InsertStep? step, IEnumerable<Admission> answers)
    {
        if (step is BatchStep && answers.Any(a => a.Result == Admitted.IdTaken))
            throw new TaskIdTakenException();
    }

    /// <summary>What became of each task, in order; holders that wait are changed in memory.</summary>
    /// <param name="tasks">As submitted.</param>
    /// <param name="inserted">Ids that were inserted, each from the first task that has it.</param>
    /// <param name="taken">Ids of the others that exist.</param>
    /// <param name="holders">Tasks that wait or run, by queue and key: locked.</param>
    /// <returns>Null where the holder of a key has ended meanwhile.</returns>
    public static List<Admission>? Answer(
        IReadOnlyList<NewTask> tasks, HashSet<Guid> inserted, HashSet<Guid> taken, Dictionary<(string Queue, string Key), TaskState> holders)
    {
        var answers = new List<Admission>(tasks.Count);
        var seen = new HashSet<Guid>(tasks.Count);
        foreach (var submitted in tasks)
        {
            var task = submitted.Task;
            var isFirst = seen.Add(task.CorrelationId);
            if (isFirst && inserted.Contains(task.CorrelationId))
                answers.Add(Accept(task, holders));
            else if (!isFirst || taken.Contains(task.CorrelationId))
                answers.Add(new Admission(task.CorrelationId, Admitted.IdTaken, null));
            else if (task.DedupeKey is { } key && holders.TryGetValue((task.Queue, key), out var holder))
                answers.Add(Meet(submitted, holder));
            else
                return null;
        }

        return answers;
    }

    private static Admission Accept(TaskState task, Dictionary<(string Queue, string Key), TaskState> holders)
    {
        task.Record(TaskEventType.Submitted, task.CreatedAt, dispatch: task.DispatchAt > task.DueAt, frees: task.ThreadId is not null);
        if (task.DedupeKey is { } key)
            holders[(task.Queue, key)] = task; // a later one of the same list may change it
        return new Admission(task.CorrelationId, Admitted.Accepted, task);
    }

    private static Admission Meet(NewTask submitted, TaskState holder)
    {
        var (task, overwrite) = submitted;
        // Whoever has the key of somebody else's task learns that there is one, and changes nothing of it.
        if (overwrite == OverwriteFields.None || holder.Owner != task.Owner)
            return new Admission(holder.CorrelationId, Admitted.Skipped, null);
        if (holder.State == TaskStates.Running)
            return new Admission(holder.CorrelationId, Admitted.Running, holder);
        holder.Settings = task.Settings;
        if (overwrite.HasFlag(OverwriteFields.Payload))
            holder.Payload = submitted.PayloadFor?.Invoke(holder.CorrelationId) ?? task.Payload;
        if (overwrite.HasFlag(OverwriteFields.ScheduledAt))
        {
            holder.DueAt = task.DueAt;
            holder.DispatchAt = holder.Push ? task.DueAt : null;
        }

        if (overwrite.HasFlag(OverwriteFields.ExpiresAt))
            holder.ExpiresAt = task.ExpiresAt;
        holder.Record(TaskEventType.Overwritten, task.CreatedAt, frees: holder.ThreadId is not null);
        return new Admission(holder.CorrelationId, Admitted.Overwritten, holder);
    }
}
