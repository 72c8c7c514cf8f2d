using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Something that happened to a task.</summary>
internal readonly record struct Step(TaskEventType Type, int Attempt, DateTime At);

/// <summary>
/// What the engine should do, in memory and sequentially: the rules of tasks and queues as moab.md and the
/// engine's docs state them, with none of its code. <see cref="TaskState"/> is a bag of columns here.
/// </summary>
internal sealed partial class QueueModel
{
    private readonly Dictionary<Guid, RetryPolicy?> _retries = [];

    public DateTime Now { get; set; }

    /// <summary>All rows, including those of deleted tasks until they are removed.</summary>
    public Dictionary<Guid, TaskState> Tasks { get; } = [];

    /// <summary>What happened to each task, whatever the event policy.</summary>
    public Dictionary<Guid, List<Step>> Timelines { get; } = [];

    /// <summary>The events of each task in the outbox; those of removed tasks stay there.</summary>
    public Dictionary<Guid, List<Step>> Outbox { get; } = [];

    public Dictionary<string, QueueSettings> Queues { get; } = [];

    public QueueSettings SettingsOf(string queue) => Queues.GetValueOrDefault(queue) ?? new QueueSettings();

    public static bool IsWaiting(TaskState task) => task.State is TaskStates.Pending or TaskStates.Retrying;

    public static bool IsLive(TaskState task) => IsWaiting(task) || task.State == TaskStates.Running;

    public bool IsGone(TaskState task) => task.DeleteAt <= Now;

    /// <summary>Whether one of the ids was that of a deleted task: then none is accepted.</summary>
    public bool HasConflict(IEnumerable<TaskSubmission> submissions) =>
        submissions.Any(s => Tasks.TryGetValue(s.Id, out var task) && IsGone(task));

    public List<SubmitResult> Submit(IReadOnlyList<TaskSubmission> submissions)
    {
        var seen = new HashSet<Guid>();
        var accepted = Acceptance(submissions);
        var answers = submissions.Select((s, i) => Submit(s, accepted[i], isFirst: seen.Add(s.Id))).ToList();
        Promote();
        return answers;
    }

    /// <summary>
    /// Of the tasks of a list, each whose id is less than that of the one before is accepted a microsecond after it, the last one now.
    /// </summary>
    private List<DateTime> Acceptance(IReadOnlyList<TaskSubmission> submissions)
    {
        return [.. submissions.Select((_, i) => Now.AddMicroseconds(Steps(i) - Steps(submissions.Count - 1)))];

        int Steps(int last)
        {
            var ids = submissions.Take(last + 1).Select(s => s.Id).ToList();
            return ids.Skip(1).Zip(ids).Count(pair => pair.First.CompareTo(pair.Second) < 0);
        }
    }

    private SubmitResult Submit(TaskSubmission submission, DateTime accepted, bool isFirst)
    {
        if (!isFirst || Tasks.ContainsKey(submission.Id))
            return new SubmitResult(submission.Id, SubmitStatus.IdTaken, null);
        var task = NewTask(submission);
        task.CreatedAt = accepted;
        if (task.DueAt == Now)
            task.DueAt = accepted; // at once
        if (HolderOf(task) is { } holder)
            return Meet(task, submission.Overwrite, holder);
        Tasks.Add(task.CorrelationId, task);
        _retries[task.CorrelationId] = RetryOf(submission);
        Note(task, TaskEventType.Submitted, accepted);
        return new SubmitResult(task.CorrelationId, SubmitStatus.Accepted, task);
    }

    private SubmitResult Meet(TaskState task, OverwriteFields overwrite, TaskState holder)
    {
        if (overwrite == OverwriteFields.None)
            return new SubmitResult(holder.CorrelationId, SubmitStatus.Skipped, null);
        if (holder.State == TaskStates.Running)
            return new SubmitResult(holder.CorrelationId, SubmitStatus.Running, holder);
        if (overwrite.HasFlag(OverwriteFields.Payload))
            (holder.Payload, holder.Name, holder.Progress) = (task.Payload, task.Name, null);
        if (overwrite.HasFlag(OverwriteFields.ScheduledAt))
            holder.DueAt = task.DueAt;
        if (overwrite.HasFlag(OverwriteFields.ExpiresAt))
            holder.ExpiresAt = task.ExpiresAt;
        Note(holder, TaskEventType.Overwritten);
        return new SubmitResult(holder.CorrelationId, SubmitStatus.Overwritten, holder);
    }

    private TaskState NewTask(TaskSubmission submission)
    {
        var (settings, tier) = (SettingsOf(submission.Queue), TierOf(submission.Queue, submission.Tier));
        var due = submission.ScheduledAt is { } at && at > Now ? Cut(at) : Now;
        var attempts = AttemptsOf(submission);
        return new TaskState
        {
            CorrelationId = submission.Id,
            State = TaskStates.Pending,
            Queue = submission.Queue,
            Tier = submission.Tier,
            Priority = submission.Priority ?? tier.Priority ?? Priority.Normal,
            Name = submission.Name,
            DedupeKey = submission.DedupeKey,
            OrderingKey = submission.OrderingKey,
            Payload = submission.Payload,
            AttemptsLeft = attempts,
            MaxAttempts = attempts,
            Retry = RetryBackoff.ToText(RetryOf(submission)),
            DefaultLeaseMs = submission.LeaseSeconds is { } lease ? (int)(lease * 1000) : tier.LeaseMs ?? settings.LeaseMs ?? 15_000,
            CreatedAt = Now,
            DueAt = due,
            ExpiresAt = ExpiryOf(submission.Queue, submission.Tier, due, submission.ExpiresAt),
        };
    }

    private RetryPolicy? RetryOf(TaskSubmission submission) =>
        submission.Retry ?? TierOf(submission.Queue, submission.Tier).Retry ?? SettingsOf(submission.Queue).Retry;

    /// <summary>The task's own settings first: its number, then its intervals; then the tier's and the queue's in the same way.</summary>
    private int AttemptsOf(TaskSubmission submission) =>
        submission.MaxAttempts
        ?? (submission.Retry?.Intervals?.Count + 1)
        ?? TierOf(submission.Queue, submission.Tier).MaxAttempts
        ?? SettingsOf(submission.Queue).MaxAttempts
        ?? (RetryOf(submission)?.Intervals?.Count + 1)
        ?? 4;

    private TierDefaults TierOf(string queue, int tier) => SettingsOf(queue).Tiers?.GetValueOrDefault(tier) ?? new TierDefaults();

    private DateTime? ExpiryOf(string queue, int tier, DateTime due, DateTime? asked)
    {
        var ceiling = (TierOf(queue, tier).ExpireAfterMs ?? SettingsOf(queue).ExpireAfterMs) is { } ms ? due.AddMilliseconds(ms)
            : (DateTime?)null;
        return asked is { } time && !(Cut(time) > ceiling) ? Cut(time) : ceiling;
    }

    private TaskState? HolderOf(TaskState task) => task.DedupeKey is null
        ? null
        : Tasks.Values.SingleOrDefault(t => IsLive(t) && t.Queue == task.Queue && t.DedupeKey == task.DedupeKey
            && t.CorrelationId != task.CorrelationId);

    /// <summary>The head of each ordering key is the running task, or else the earliest waiting one; all others are blocked.</summary>
    private void Promote()
    {
        foreach (var orderingKey in Tasks.Values.Where(t => t.OrderingKey is not null && IsLive(t)).GroupBy(t => (t.Queue, t.OrderingKey)))
        {
            var turn = orderingKey.SingleOrDefault(t => t.State == TaskStates.Running)
                ?? orderingKey.MinBy(t => (t.DueAt, t.CreatedAt, t.CorrelationId));
            foreach (var task in orderingKey)
                task.Blocked = task != turn;
        }
    }

    private void Note(TaskState task, TaskEventType type, DateTime? at = null)
    {
        var step = new Step(type, task.Attempt, at ?? Now);
        Add(Timelines, task, step);
        var written = SettingsOf(task.Queue).Events switch
        {
            EventPolicy.All => true,
            EventPolicy.Terminal =>
                type is TaskEventType.Completed or TaskEventType.Failed or TaskEventType.Cancelled or TaskEventType.Expired,
            _ => false,
        };
        if (!written)
            return;
        Add(Outbox, task, step);
        _firstUnpublished ??= Now;
    }

    private static void Add(Dictionary<Guid, List<Step>> steps, TaskState task, Step step)
    {
        if (!steps.TryGetValue(task.CorrelationId, out var list))
            steps.Add(task.CorrelationId, list = []);
        list.Add(step);
    }

    private static DateTime Cut(DateTime time) => new(time.Ticks / 10 * 10, DateTimeKind.Utc);
}
