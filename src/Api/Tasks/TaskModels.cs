using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Tasks;

/// <summary>POST /tasks, for the OpenAPI document: <see cref="TaskRequest"/> reads it member by member.</summary>
/// <param name="Action">Name of the task, which selects the handler; any JSON but null and false.</param>
/// <param name="Data">Any JSON.</param>
/// <param name="Queue"><c>name</c> or <c>name:tier</c>; default the queue of the built-in actions.</param>
/// <param name="Priority">low, normal, high or critical; default normal.</param>
/// <param name="ScheduledAt">Earliest start.</param>
/// <param name="ExpiresAt">The task expires if it has not started by this time.</param>
/// <param name="MaxAttempts">1 to 100; default the queue's, else 4.</param>
/// <param name="DedupeKey">At most one waiting or running task per queue has this key; duplicates are skipped.</param>
/// <param name="Overwrite">Fields of the waiting task that a duplicate overwrites: payload, scheduled_at, expires_at.</param>
/// <param name="OrderingKey">Tasks of a queue with the same ordering key run one at a time, earliest first.</param>
/// <param name="LeaseSeconds">How long an attempt may go without a heartbeat: 1 to 86,400; default the queue's, else 15.</param>
/// <param name="Retry">Retry policy of failed attempts; default the queue's.</param>
/// <param name="CallbackUrl">The http or https URL to which the result is posted unchanged on success.</param>
/// <param name="Tags">Texts by which the task is found: at most 16 different ones of 1 to 64 characters, without commas.</param>
/// <param name="Id">A UUID chosen by the caller, so that an unanswered request can be retried: the retry is a
/// duplicate.</param>
internal sealed record TaskBody(
    JsonElement Action, JsonElement? Data, string? Queue, string? Priority, DateTimeOffset? ScheduledAt, DateTimeOffset? ExpiresAt,
    int? MaxAttempts,
    string? DedupeKey, IReadOnlyList<string>? Overwrite, string? OrderingKey, double? LeaseSeconds, RetryBody? Retry, string? CallbackUrl,
    IReadOnlyList<string>? Tags, Guid? Id);

/// <summary>POST /tasks/bulk, for the OpenAPI document.</summary>
/// <param name="Tasks">1 to 1,000.</param>
internal sealed record TasksBody(IReadOnlyList<TaskBody> Tasks);

/// <summary>Response of POST /tasks (dtq-and-wippy.md B1).</summary>
internal sealed record TaskQueued(Guid Id, string Status);

/// <summary>Response of GET /tasks (dtq-and-wippy.md B2).</summary>
internal sealed record TaskList(IReadOnlyList<TaskRow> Tasks, int Count);

/// <summary>One row of GET /tasks: payload and result are JSON text inside strings, times are Unix seconds.</summary>
internal sealed record TaskRow(Guid Id, string Payload, string Status, string? Result, long CreatedAt, long? ProcessedAt);

/// <summary>Response of POST /tasks/bulk, in request order; for a duplicate, the id of the task that has its dedupe key or id.</summary>
internal sealed record TasksQueued(IReadOnlyList<Guid> Ids, int Count, IReadOnlyList<string> Results);

/// <summary>Response of a cancel or a retry.</summary>
internal sealed record TaskChanged(Guid Id, string Status);

/// <summary>An error of the two original routes.</summary>
internal sealed record TaskError(string Error);

/// <summary>GET /tasks/{id}: a task in detail.</summary>
internal sealed record TaskDetails(
    Guid Id, string Queue, int Tier, string? Name, string Priority, string Status, int Attempt, int MaxAttempts,
    string? DedupeKey, string? OrderingKey, IReadOnlyList<string> Tags, bool DeadLetter,
    RawJson Payload, RawJson? Result, string? Error, RawJson? Progress, string? Worker, string? Owner,
    DateTime CreatedAt, DateTime DueAt, DateTime? ExpiresAt, DateTime? StartedAt, DateTime? LeaseUntil, DateTime? FinishedAt,
    IReadOnlyList<TaskStepDetails> Timeline);

/// <summary>A step of a task's timeline.</summary>
internal sealed record TaskStepDetails(string Event, int Attempt, DateTime At, DateTime? DueAt, string? Worker, string? Error);

/// <summary>GET /tasks/{id}/callbacks: sent and due callbacks.</summary>
internal sealed record TaskCallbacks(IReadOnlyList<TaskCallback> Callbacks);

/// <summary>A callback: waiting, delivered or failed. Its log has one entry per try: at, status or error, duration_ms.</summary>
internal sealed record TaskCallback(string Id, string Url, string State, int Attempts, DateTime? DueAt, DateTime CreatedAt,
    DateTime? FinishedAt, RawJson Log);

/// <summary>GET /callbacks: newest first.</summary>
/// <param name="Callbacks">The callbacks. A page looks at 5,000 callbacks, so it may have few or none and still not be the last.</param>
/// <param name="NextCursor">The <c>cursor</c> of the next page; null at the end.</param>
internal sealed record CallbackList(IReadOnlyList<CallbackItem> Callbacks, string? NextCursor);

/// <summary>A callback of a task or a batch.</summary>
/// <param name="Id">Its id.</param>
/// <param name="TaskId">The task or batch, as in <c>/tasks/{id}/callbacks</c>.</param>
/// <param name="Queue">Queue of the task or batch; null if it is gone.</param>
/// <param name="Owner">Its owner.</param>
/// <param name="Url">The receiver.</param>
/// <param name="State"><c>waiting</c>, <c>delivered</c> or <c>failed</c>.</param>
/// <param name="Attempts">Number of tries.</param>
/// <param name="DueAt">When the next try is due; null at the end.</param>
/// <param name="CreatedAt">When its task or batch ended.</param>
/// <param name="FinishedAt">When it was delivered or has failed.</param>
/// <param name="Log">One entry per try: at, status or error, duration_ms.</param>
internal sealed record CallbackItem(
    string Id, Guid TaskId, string? Queue, string? Owner, string Url, string State, int Attempts, DateTime? DueAt, DateTime CreatedAt,
    DateTime? FinishedAt, RawJson Log);

/// <summary>Source-generated JSON of the API.</summary>
[JsonSerializable(typeof(TaskQueued))]
[JsonSerializable(typeof(TaskList))]
[JsonSerializable(typeof(TasksQueued))]
[JsonSerializable(typeof(TaskChanged))]
[JsonSerializable(typeof(TaskError))]
[JsonSerializable(typeof(TaskDetails))]
[JsonSerializable(typeof(TaskCallbacks))]
[JsonSerializable(typeof(TaskCallback))]
[JsonSerializable(typeof(CallbackList))]
[JsonSerializable(typeof(RetryBody))]
internal sealed partial class TaskJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static TaskJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Maps tasks to the API's format.</summary>
internal static class TaskMapping
{
    public static TaskRow ToRow(TaskState t, Redactor redactor) =>
        new(t.CorrelationId, redactor.Json(t.Payload), TaskStates.Word(t.State),
            t.Result is { } result ? redactor.Json(result) : null, Seconds(t.CreatedAt), t.FinishedAt is { } end ? Seconds(end) : null);

    public static TaskDetails ToDetails(TaskState t, IEnumerable<TaskEvent> timeline, Redactor redactor) =>
        new(t.CorrelationId, t.Queue, t.Tier, t.Name, Word(t.Priority), TaskStates.Word(t.State), t.Attempt, t.MaxAttempts,
            TenantKey.Show(t.DedupeKey), TenantKey.Show(t.OrderingKey), TaskTags.Split(t.Tags), t.Dead,
            new RawJson(redactor.Json(t.Payload)), t.Result is { } result ? new RawJson(redactor.Json(result)) : null,
            redactor.Error(t.Error, t.Payload),
            t.Progress is { } progress ? new RawJson(redactor.Json(progress)) : null, t.Worker, t.Owner,
            t.CreatedAt, t.DueAt, t.ExpiresAt, t.StartedAt, t.LeaseUntil, t.FinishedAt,
            [.. timeline.Select(e => new TaskStepDetails(
                e.Type.ToString().ToLowerInvariant(), e.Attempt, e.At, e.DueAt, e.Worker, redactor.Error(e.Error, t.Payload)))]);

    public static TaskCallback ToCallback(Callback c, Redactor redactor) =>
        new($"cb_{c.Id}", redactor.Text("callback_url", c.Url), c.State.ToString().ToLowerInvariant(), c.Attempts,
            c.FinishedAt is null ? c.DueAt : null, c.CreatedAt, c.FinishedAt, new RawJson(redactor.Json(c.Log)));

    public static CallbackItem ToItem(ListedCallback listed, Redactor redactor)
    {
        var (c, shown) = (listed.Callback, ToCallback(listed.Callback, redactor));
        return new(shown.Id, c.SubjectId, listed.Queue, c.Owner, shown.Url, shown.State, shown.Attempts, shown.DueAt, shown.CreatedAt,
            shown.FinishedAt, shown.Log);
    }

    /// <summary>The API's word for a submit status.</summary>
    public static string Word(SubmitStatus result) =>
        result switch
        {
            SubmitStatus.Overwritten => "updated",
            SubmitStatus.Skipped or SubmitStatus.Running or SubmitStatus.IdTaken => "duplicate",
            _ => "queued",
        };

    public static string Word(Priority priority) => priority.ToString().ToLowerInvariant();

    /// <summary>Parses a priority; null if unknown.</summary>
    public static Priority? PriorityOf(string? word) =>
        word?.ToLowerInvariant() switch
        {
            "low" => Priority.Low,
            "normal" => Priority.Normal,
            "high" => Priority.High,
            "critical" => Priority.Critical,
            _ => null,
        };

    /// <summary>The rule for priorities, for error messages.</summary>
    public const string PriorityRule = "priority must be low, normal, high or critical";

    private static long Seconds(DateTime time) => new DateTimeOffset(time).ToUnixTimeSeconds();
}
