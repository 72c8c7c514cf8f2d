using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;

namespace TaskQueue.Adapters.Moab;

/// <summary>Maps between Moab's tasks and the engine's.</summary>
internal static class MoabTaskMapping
{
    /// <summary>Moab's state by engine state. Other states do not exist for Moab, where success deletes a task.</summary>
    private static readonly Dictionary<int, string> States = new()
    {
        [TaskStates.Pending] = MoabWords.Enqueued,
        [TaskStates.Retrying] = MoabWords.Enqueued,
        [TaskStates.Running] = MoabWords.InProgress,
        [TaskStates.Failed] = MoabWords.Dead,
    };

    /// <summary>Maps an entry to a submission; its id is assigned on submit.</summary>
    /// <exception cref="TaskQueue.Http.Errors.ApiException">400.</exception>
    public static TaskSubmission ToSubmission(string queue, MoabEnqueueEntry entry, int index, DateTime now)
    {
        var at = $"entries[{index}]";
        MoabFields.Retry(entry.RetryStrategy, $"{at}.retry_strategy");
        var (retry, attempts) = MoabFields.Retries(entry.RetryStrategy);
        var task = new TaskSubmission(Guid.Empty, queue, MoabFields.Payload(entry.Payload, entry.PayloadBase64, $"{at}.payload"))
        {
            ScheduledAt = MoabFields.ScheduledAt(entry.ScheduledAt, now, $"{at}.scheduled_at"),
            ExpiresAt = MoabFields.Time(entry.ExpiresAt, $"{at}.expires_at"),
            DedupeKey = MoabFields.Key(entry.DedupeKey, $"{at}.dedupe_key"),
            Overwrite = MoabWords.Overwrite(entry.OverwriteOnDuplicate, $"{at}.overwrite_on_duplicate"),
            OrderingKey = MoabFields.Key(entry.ThreadId, $"{at}.thread_id"),
            LeaseSeconds = MoabFields.KeepaliveOverride(entry.KeepaliveTimeoutInSeconds, $"{at}.keepalive_timeout_in_seconds"),
            Retry = retry,
            MaxAttempts = attempts,
        };
        return task.Overwrite == OverwriteFields.None || task.DedupeKey is not null
            ? task
            : throw MoabFields.Wrong($"{at}.overwrite_on_duplicate needs a dedupe_key");
    }

    public static MoabTask ToTask(TaskState task) => ToTask(task, Redactor.None);

    /// <summary>Maps a task, redacted for a caller.</summary>
    public static MoabTask ToTask(TaskState task, Redactor redactor)
    {
        var (payload, base64) = MoabPayload.Read(redactor.Json(task.Payload));
        return new MoabTask
        {
            Id = MoabTaskId.Format(task.CorrelationId),
            QueueName = task.Queue,
            Payload = payload,
            PayloadBase64 = base64,
            CreatedAt = MoabFields.Nanoseconds(task.CreatedAt),
            ScheduledAt = MoabFields.Nanoseconds(task.DueAt),
            ExpiresAt = MoabFields.Nanoseconds(task.ExpiresAt),
            DedupeKey = TenantKey.Show(task.DedupeKey) ?? "",
            Attempts = Attempts(task),
            ThreadId = TenantKey.Show(task.OrderingKey) ?? "",
            State = States[task.State],
            VisibleAt = task.State == TaskStates.Running ? MoabFields.Nanoseconds(task.LeaseUntil) : 0,
        };
    }

    /// <summary>Deliveries in the current run; the engine's attempt number continues across restarts.</summary>
    public static int Attempts(TaskState task) => task.MaxAttempts - task.AttemptsLeft;

    /// <summary>Whether the task exists for Moab: in its queue, and neither succeeded, cancelled nor deleted.</summary>
    public static bool Exists(TaskState task, string queue) =>
        task.Queue == queue && States.ContainsKey(task.State) && (task.State != TaskStates.Failed || task.Dead);

    /// <summary>Whether the task can be read. Tasks in progress never expire; others disappear at their expiry, swept or not.</summary>
    public static bool IsVisible(TaskState task, string queue, DateTime now) =>
        Exists(task, queue) && (task.State == TaskStates.Running || !(task.ExpiresAt <= now));
}
