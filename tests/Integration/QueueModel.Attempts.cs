using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Outcomes of single tasks.</summary>
internal sealed partial class QueueModel
{
    private readonly Dictionary<string, long> _emptyAt = []; // Unix nanoseconds at which a bucket was empty, in effect

    public List<TaskState> Claim(ClaimRequest request)
    {
        var targets = request.Targets.Distinct().ToList();
        var due = Tasks.Values.Where(t => IsWaiting(t) && !t.Blocked && t.DueAt <= Now && !(t.ExpiresAt <= Now)
            && targets.Contains(new(t.Queue, t.Tier)) && !SettingsOf(t.Queue).Paused);
        var ordered = request.Order == ClaimOrder.Oldest
            ? due.OrderBy(t => t.DueAt).ThenBy(t => t.CreatedAt).ThenBy(t => t.CorrelationId)
            : due.OrderBy(t => targets.IndexOf(new(t.Queue, t.Tier))).ThenByDescending(t => t.Priority).ThenBy(t => t.DueAt)
                .ThenBy(t => t.CreatedAt).ThenBy(t => t.CorrelationId);
        var taken = new List<TaskState>();
        var room = targets.Select(t => t.Queue).Distinct().ToDictionary(q => q, RoomOf);
        foreach (var task in ordered.ToList())
        {
            if (taken.Count == request.Max || room[task.Queue]-- <= 0)
                continue;
            Begin(task, request);
            taken.Add(task);
        }

        foreach (var (queue, tasks) in taken.CountBy(t => t.Queue))
            TakeTokens(queue, tasks);
        return taken;
    }

    private void Begin(TaskState task, ClaimRequest request)
    {
        task.State = TaskStates.Running;
        task.Attempt++;
        task.AttemptsLeft--;
        task.Worker = request.Worker;
        task.LeaseMs = request.LeaseMs ?? task.DefaultLeaseMs;
        task.LeaseUntil = Now.AddMilliseconds(task.LeaseMs);
        task.StartedAt = Now;
        task.Limited = SettingsOf(task.Queue).IsLimited;
        Note(task, TaskEventType.Started);
    }

    private long RoomOf(string queue)
    {
        var settings = SettingsOf(queue);
        var running = Tasks.Values.Count(t => t.Queue == queue && t.State == TaskStates.Running);
        var slots = settings.MaxRunning > 0 ? settings.MaxRunning - running : long.MaxValue;
        return settings.Rate is { } rate ? Math.Min(slots, (NowNs - EmptyAt(queue, rate)) / rate.PeriodNs) : slots;
    }

    private void TakeTokens(string queue, int tokens)
    {
        if (SettingsOf(queue).Rate is { } rate)
            _emptyAt[queue] = EmptyAt(queue, rate) + (tokens * rate.PeriodNs);
    }

    /// <summary>A bucket is full at first, and never more than full.</summary>
    private long EmptyAt(string queue, RateLimit rate) =>
        Math.Max(_emptyAt.GetValueOrDefault(queue), NowNs - (rate.MaxTokens * rate.PeriodNs));

    private long NowNs => (Now - DateTime.UnixEpoch).Ticks * 100;

    public CommandResult Renew(Guid id, int attempt, string? worker, int? leaseMs) => OfAttempt(id, attempt, worker, null, task =>
    {
        task.LeaseMs = leaseMs ?? task.LeaseMs;
        task.LeaseUntil = Now.AddMilliseconds(task.LeaseMs);
    });

    public CommandResult Complete(Guid id, int attempt, string? worker, string? result) =>
        OfAttempt(id, attempt, worker, TaskStates.Completed, task =>
    {
        task.Result = result;
        task.Error = null;
        Close(task, TaskStates.Completed, TaskEventType.Completed);
    });

    public CommandResult Fail(Guid id, int attempt, string? worker, string error, bool retryable) =>
        OfAttempt(id, attempt, worker, TaskStates.Failed, task => Fail(task, error, retryable, leaseExpired: false));

    public CommandResult Snooze(Guid id, int attempt, string? worker, TimeSpan wait) => OfAttempt(id, attempt, worker, null, task =>
    {
        task.AttemptsLeft++;
        task.Crashes = 0;
        WaitAgain(task, TaskStates.Pending, Now + wait, TaskEventType.Snoozed);
    });

    public CommandResult Cancel(Guid id) => Of(id, task =>
    {
        if (!IsLive(task))
            return task.State == TaskStates.Cancelled ? CommandResult.Duplicate : CommandResult.Finished;
        Close(task, TaskStates.Cancelled, TaskEventType.Cancelled);
        return CommandResult.Applied;
    });

    public CommandResult Delete(Guid id) => Of(id, task =>
    {
        if (IsLive(task))
            Close(task, TaskStates.Cancelled, TaskEventType.Cancelled);
        task.Dead = false;
        task.DeleteAt = Now;
        return CommandResult.Applied;
    });

    public CommandResult Restart(Guid id, DateTime? scheduledAt, DateTime? expiresAt) => Of(id, task =>
    {
        if (task.State is not (TaskStates.Failed or TaskStates.Cancelled))
            return CommandResult.NotAllowed;
        if (HolderOf(task) is not null)
            return CommandResult.KeyTaken;
        (task.State, task.Dead, task.AttemptsLeft, task.Crashes) = (TaskStates.Pending, false, task.MaxAttempts, 0);
        (task.Result, task.Error, task.FinishedAt, task.DeleteAt) = (null, null, null, null);
        task.DueAt = scheduledAt is { } at && Cut(at) > Now ? Cut(at) : Now;
        task.ExpiresAt = ExpiryOf(task.Queue, task.Tier, task.DueAt, expiresAt);
        Note(task, TaskEventType.Submitted);
        return CommandResult.Applied;
    });

    /// <returns>The recovered tasks whose leases expired.</returns>
    public List<Guid> ExpireLease()
    {
        var leaseExpired = Tasks.Values.Where(t => t.State == TaskStates.Running && t.LeaseUntil <= Now).OrderBy(t => t.LeaseUntil)
            .ToList();
        foreach (var task in leaseExpired)
        {
            var isLast = ++task.Crashes >= QueueSettings.DefaultMaxCrashes && !(task.ExpiresAt <= Now);
            Fail(task, isLast ? $"quarantined: {task.Crashes} workers were lost while they ran it"
                : $"lease of attempt {task.Attempt} expired: no heartbeat for {task.LeaseMs} ms", retryable: !isLast, leaseExpired: true);
        }

        Promote();
        return leaseExpired.ConvertAll(t => t.CorrelationId);
    }

    /// <returns>The waiting tasks past their expiry, which were ended.</returns>
    public List<Guid> Expire()
    {
        var late = Tasks.Values.Where(t => IsWaiting(t) && t.ExpiresAt <= Now).ToList();
        foreach (var task in late)
            Close(task, TaskStates.Expired, TaskEventType.Expired);
        Promote();
        return late.ConvertAll(t => t.CorrelationId);
    }

    private void Fail(TaskState task, string error, bool retryable, bool leaseExpired)
    {
        task.Error = error;
        if (task.ExpiresAt <= Now)
        {
            Close(task, TaskStates.Expired, TaskEventType.Expired); // no retry, no dead letter, whatever is left
        }
        else if (retryable && task.AttemptsLeft > 0)
        {
            var policy = _retries[task.CorrelationId];
            var due = leaseExpired && task.Retry is null ? task.DueAt
                : Cut(Now + WaitAfter(policy ?? new RetryPolicy(), task.MaxAttempts - task.AttemptsLeft));
            WaitAgain(task, TaskStates.Retrying, due, TaskEventType.Retrying);
        }
        else
        {
            Close(task, TaskStates.Failed, TaskEventType.Failed);
            if (SettingsOf(task.Queue).DeadLetters.Enabled)
                Bury(task);
        }
    }

    private void Bury(TaskState task)
    {
        task.Dead = true;
        if (SettingsOf(task.Queue).DeadLetters.RetentionMs is { } retention)
            task.ExpiresAt = task.DeleteAt = Now.AddMilliseconds(retention);
        if (SettingsOf(task.Queue).DeadLetters.MaxSize is not (> 0 and var size))
            return;
        foreach (var old in DeadOf(task.Queue).OrderByDescending(t => t.FinishedAt).ThenByDescending(t => t.CorrelationId).Skip(size)
            .ToList())
            (old.Dead, old.DeleteAt) = (false, Now);
    }

    private static TimeSpan WaitAfter(RetryPolicy policy, int failure) => TimeSpan.FromSeconds(policy.Intervals is { } waits
        ? waits.Count == 0 ? 0 : waits[Math.Min(failure, waits.Count) - 1]
        : Math.Min(policy.FirstSeconds * Math.Pow(policy.Factor, failure - 1), policy.CapSeconds));

    private void WaitAgain(TaskState task, int state, DateTime due, TaskEventType type)
    {
        (task.State, task.DueAt, task.LeaseUntil, task.Limited) = (state, due, null, false);
        Note(task, type);
    }

    private void Close(TaskState task, int state, TaskEventType type)
    {
        (task.State, task.FinishedAt, task.LeaseUntil, task.Limited, task.Blocked) = (state, Now, null, false, false);
        task.DeleteAt = Now + (SettingsOf(task.Queue).KeepFinishedMs is { } ms ? TimeSpan.FromMilliseconds(ms) : TimeSpan.FromDays(7));
        Note(task, type);
        _ended[(task.Queue, type)] = _ended.GetValueOrDefault((task.Queue, type)) + 1;
    }

    private CommandResult OfAttempt(Guid id, int attempt, string? worker, int? endsIn, Action<TaskState> change) => Of(id, task =>
    {
        var holds = task.Attempt == attempt && (worker is null || worker == task.Worker);
        if (IsWaiting(task) || (IsLive(task) && !holds))
            return CommandResult.StaleAttempt;
        if (!IsLive(task))
            return task.State == endsIn && holds ? CommandResult.Duplicate : CommandResult.Finished;
        change(task);
        return CommandResult.Applied;
    });

    private CommandResult Of(Guid id, Func<TaskState, CommandResult> decide)
    {
        if (!Tasks.TryGetValue(id, out var task) || IsGone(task))
            return CommandResult.NotFound;
        var commandResult = decide(task);
        Promote();
        return commandResult;
    }
}
