using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;

namespace TaskQueue.Adapters.Moab;

/// <summary>Between Moab's tasks and the engine's.</summary>
internal static class MoabTaskMapping
{
    /// <summary>The engine's states in Moab's words. Those that are not here are no tasks to Moab: success deletes, it says.</summary>
    private static readonly Dictionary<int, string> States = new()
    {
        [TaskStates.Pending] = MoabWords.Enqueued,
        [TaskStates.Retrying] = MoabWords.Enqueued,
        [TaskStates.Running] = MoabWords.InProgress,
        [TaskStates.Failed] = MoabWords.Dead,
    };

    /// <summary>The task of an entry; its id is chosen when it is submitted.</summary>
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

    /// <summary>A task as a caller sees it.</summary>
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

    /// <summary>Deliveries of the current run; the engine's number of an attempt goes on after a restart.</summary>
    public static int Attempts(TaskState task) => task.MaxAttempts - task.AttemptsLeft;

    /// <summary>Whether Moab knows the task: in its queue, and neither succeeded nor cancelled nor gone.</summary>
    public static bool Exists(TaskState task, string queue) =>
        task.Queue == queue && States.ContainsKey(task.State) && (task.State != TaskStates.Failed || task.Dead);

    /// <summary>Whether it can be read: what is in progress never expires, the rest is gone at its expiry, swept or not.</summary>
    public static bool IsVisible(TaskState task, string queue, DateTime now) =>
        Exists(task, queue) && (task.State == TaskStates.Running || !(task.ExpiresAt <= now));
}
