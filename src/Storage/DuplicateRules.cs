using TaskQueue.Contracts;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>What a duplicate does to the holder of its dedupe key (moab.md 7), the same for every store.</summary>
internal static class DuplicateRules
{
    /// <summary>A line of a batch whose id another task has would be lost: then the step is not taken.</summary>
    /// <exception cref="TaskIdTakenException">There is one.</exception>
    public static void DemandNew(InsertStep? step, IEnumerable<SubmitResult> answers)
    {
        if (step is BatchStep && answers.Any(a => a.Result == SubmitStatus.IdTaken))
            throw new TaskIdTakenException();
    }

    /// <summary>What became of each task, in order; holders that wait are changed in memory.</summary>
    /// <param name="tasks">As submitted.</param>
    /// <param name="inserted">Ids that were inserted, each from the first task that has it.</param>
    /// <param name="taken">The others that exist, by id: their owner, and when they are gone.</param>
    /// <param name="holders">Tasks that wait or run, by queue and key: locked.</param>
    /// <returns>Null where the holder of a key has ended meanwhile.</returns>
    /// <exception cref="TaskIdConflictException">An id is another tenant's, or that of a deleted task.</exception>
    public static List<SubmitResult>? Answer(
        IReadOnlyList<NewTask> tasks, HashSet<Guid> inserted, IReadOnlyDictionary<Guid, TakenId> taken,
            Dictionary<(string Queue, string Key), TaskState> holders)
    {
        var answers = new List<SubmitResult>(tasks.Count);
        var seen = new HashSet<Guid>(tasks.Count);
        foreach (var submitted in tasks)
        {
            var task = submitted.Task;
            var isFirst = seen.Add(task.CorrelationId);
            if (isFirst && inserted.Contains(task.CorrelationId))
                answers.Add(Accept(task, holders));
            else if (taken.TryGetValue(task.CorrelationId, out var other) && !other.Is(task))
                throw new TaskIdConflictException(task.CorrelationId);
            else if (!isFirst || other is not null)
                answers.Add(new SubmitResult(task.CorrelationId, SubmitStatus.IdTaken, null));
            else if (task.DedupeKey is { } key && holders.TryGetValue((task.Queue, key), out var holder))
                answers.Add(Meet(submitted, holder));
            else
                return null;
        }

        return answers;
    }

    private static SubmitResult Accept(TaskState task, Dictionary<(string Queue, string Key), TaskState> holders)
    {
        task.Record(TaskEventType.Submitted, task.CreatedAt, dispatch: task.DispatchAt > task.DueAt, frees: task.OrderingKey is not null);
        if (task.DedupeKey is { } key)
            holders[(task.Queue, key)] = task; // a later one of the same list may change it
        return new SubmitResult(task.CorrelationId, SubmitStatus.Accepted, task);
    }

    private static SubmitResult Meet(NewTask submitted, TaskState holder)
    {
        var (task, overwrite) = submitted;
        if (overwrite == OverwriteFields.None)
            return new SubmitResult(holder.CorrelationId, SubmitStatus.Skipped, null);
        if (holder.State == TaskStates.Running)
            return new SubmitResult(holder.CorrelationId, SubmitStatus.Running, holder);
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
        holder.Record(TaskEventType.Overwritten, task.CreatedAt, frees: holder.OrderingKey is not null);
        return new SubmitResult(holder.CorrelationId, SubmitStatus.Overwritten, holder);
    }
}

/// <summary>A row that has the id of a new task.</summary>
/// <param name="Id">The id.</param>
/// <param name="Owner">Its owner.</param>
/// <param name="DeleteAt">When it is gone, though its row may still be there.</param>
internal sealed record TakenId(Guid Id, string? Owner, DateTime? DeleteAt)
{
    /// <summary>Whether it is the new task itself, sent again.</summary>
    public bool Is(TaskState task) => Owner == task.Owner && !(DeleteAt <= task.CreatedAt);
}
