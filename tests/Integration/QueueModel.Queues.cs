using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Operations on whole queues, and their observable state.</summary>
internal sealed partial class QueueModel
{
    private readonly Dictionary<(string Queue, TaskEventType Type), long> _ended = [];
    private DateTime? _firstUnpublished;

    public void Change(string queue, QueueSettings settings)
    {
        Queues[queue] = settings;
        foreach (var task in Tasks.Values.Where(t => settings.IsLimited && t.Queue == queue && t.State == TaskStates.Running))
            task.Limited = true;
    }

    public bool Purge(string queue)
    {
        if (!Queues.ContainsKey(queue))
            return false;
        foreach (var task in Tasks.Values.Where(t => t.Queue == queue && (IsLive(t) || t.Dead)))
        {
            if (IsLive(task))
                Close(task, TaskStates.Cancelled, TaskEventType.Cancelled);
            (task.Dead, task.DeleteAt) = (false, Now);
        }

        foreach (var end in _ended.Keys.Where(k => k.Queue == queue))
            _ended.Remove(end);
        _emptyAt.Remove(queue);
        return true;
    }

    /// <summary>The dead letters of a queue restart, the oldest first, unless another task holds their key.</summary>
    public (int Restarted, int Skipped) Redrive(string queue)
    {
        var results = List(queue, TaskList.Dead).ConvertAll(t => Restart(t.CorrelationId, null, null));
        return (results.Count(v => v == CommandResult.Applied), results.Count(v => v != CommandResult.Applied));
    }

    public void Publish() => _firstUnpublished = null;

    /// <returns>Number of removed tasks: those that were deleted a minute or more before the first event that is not published.</returns>
    public int RemoveDeleted()
    {
        var gone = Tasks.Values.Where(t => IsGone(t) && !(t.DeleteAt >= _firstUnpublished?.AddMinutes(-1))).ToList();
        foreach (var task in gone)
        {
            if (task.Dead)
                _ended[(task.Queue, TaskEventType.Expired)] = _ended.GetValueOrDefault((task.Queue, TaskEventType.Expired)) + 1;
            Tasks.Remove(task.CorrelationId);
            Timelines.Remove(task.CorrelationId);
        }

        return gone.Count;
    }

    public QueueStats Stats(string queue)
    {
        var tasks = Tasks.Values.Where(t => t.Queue == queue).ToList();
        var claimable = tasks.Where(t => IsWaiting(t) && !t.Blocked && t.DueAt <= Now && !(t.ExpiresAt <= Now)).ToList();
        return new QueueStats(tasks.Count(IsWaiting), tasks.Count(t => t.State == TaskStates.Running), DeadOf(queue).Count(),
            _ended.GetValueOrDefault((queue, TaskEventType.Completed)), _ended.GetValueOrDefault((queue, TaskEventType.Expired)),
            claimable.Count > 0 ? claimable.Min(t => t.DueAt) : null);
    }

    public List<TaskState> List(string queue, TaskList list)
    {
        var tasks = Tasks.Values.Where(t => t.Queue == queue);
        return list switch
        {
            TaskList.Waiting =>
                [.. tasks.Where(t => IsWaiting(t) && !t.Blocked).OrderBy(t => t.DueAt).ThenBy(t => t.CreatedAt)
                    .ThenBy(t => t.CorrelationId)],
            TaskList.Running =>
                [.. tasks.Where(t => t.State == TaskStates.Running).OrderBy(t => t.LeaseUntil).ThenBy(t => t.CorrelationId)],
            TaskList.Dead => [.. DeadOf(queue).OrderBy(t => t.FinishedAt).ThenBy(t => t.CorrelationId)],
            _ => [.. tasks.Where(IsLive).Concat(DeadOf(queue)).OrderBy(t => t.CorrelationId)],
        };
    }

    private IEnumerable<TaskState> DeadOf(string queue) => Tasks.Values.Where(t => t.Queue == queue && t.Dead && !IsGone(t));
}
