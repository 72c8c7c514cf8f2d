using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.Bella;

/// <summary>Maps between bella's tasks and the engine's.</summary>
internal sealed class BellaMapping(ReplyAddress self, SubmitterTokens tokens, IOptions<BellaOptions> options)
{
    private const string Callback = "callback", Blocking = "blocking", Streaming = "streaming";
    private const int LongestWaitSeconds = 600;
    private static readonly TimeSpan CallbackLife = TimeSpan.FromHours(24);

    /// <summary>Status by state. Bella has none for a running task: it is shown as queued.</summary>
    private static readonly Dictionary<int, string> Status = new()
    {
        [TaskStates.Pending] = "waiting",
        [TaskStates.Running] = "queued",
        [TaskStates.Retrying] = "queued",
        [TaskStates.Completed] = "succeeded",
        [TaskStates.Failed] = "failed",
        [TaskStates.Cancelled] = "cancelled",
        [TaskStates.Expired] = "timeout",
    };

    /// <summary>The rule for queue names (bella.md 2), shorter than the engine's.</summary>
    public const string NameRule = "letters, digits, '-' and '_', 1 to 64 of them";

    /// <summary>Whether a queue name is allowed.</summary>
    public static bool IsName(string? name) => name is { Length: <= 64 } && QueueNames.IsValid(name);

    /// <summary>Validates a put; its queue may still be unknown.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static void Check(BellaPutBody put)
    {
        if (!string.IsNullOrWhiteSpace(put.Queue) && !IsName(put.Queue))
            throw Wrong($"queue must be a name of {NameRule}");
        if (put.Endpoint is not { Length: <= 64 })
            throw Wrong("endpoint must be a text of at most 64 characters");
        if (put.Level is < 0 or > QueueNames.MaxTier)
            throw Wrong($"level must be 0 to {QueueNames.MaxTier}");
        if (put.Data is not { IsObject: true })
            throw Wrong("data must be an object");
        if (put.CallbackUrl is { Length: > 256 })
            throw Wrong("callback_url must have at most 256 characters");
        if (put.TraceId is { Length: > 128 })
            throw Wrong("trace_id must have at most 128 characters");
        if (!TextRules.IsPlain(put.Endpoint) || !TextRules.IsPlain(put.TraceId))
            throw Wrong("endpoint and trace_id must not contain control characters or half of a surrogate pair");
        if (put.ResponseMode is not (null or Callback or Blocking or Streaming))
            throw Wrong("response_mode must be callback, blocking or streaming");
        if (ModeOf(put) != NumberedTaskMode.Callback && put.Level > 0)
            throw Wrong($"response_mode {put.ResponseMode} needs level 0: an offline task has no caller that waits");
    }

    /// <summary>Response mode of a put.</summary>
    public static NumberedTaskMode ModeOf(BellaPutBody put) =>
        put.ResponseMode switch
        {
            Blocking => NumberedTaskMode.Blocking,
            Streaming => NumberedTaskMode.Streaming,
            _ => NumberedTaskMode.Callback,
        };

    /// <summary>Time until the task expires; a blocking or streaming caller waits as long.</summary>
    public TimeSpan LifeOf(BellaPutBody put) =>
        (ModeOf(put), put.Timeout) switch
        {
            (NumberedTaskMode.Callback, { } seconds and > 0) => TimeSpan.FromSeconds(seconds),
            (NumberedTaskMode.Callback, _) => CallbackLife,
            (_, { } seconds and > 0) => TimeSpan.FromSeconds(Math.Min(seconds, LongestWaitSeconds)),
            _ => TimeSpan.FromSeconds(options.Value.OnlineTimeoutSeconds),
        };

    /// <summary>Maps a validated put to a submission.</summary>
    public TaskSubmission ToSubmission(BellaPutBody put, string queue, NumberedTaskId id, DateTimeOffset now, Caller caller)
    {
        var headers = new BellaHeaders(put.CallbackUrl, put.TraceId, put.ResponseMode ?? Callback,
            id.Tier == 0 ? self.Name : null, caller.Name, SubmitterTokens.ScopesOf(caller, queue));
        return new TaskSubmission(id.ToGuid(), queue, put.Data!.Value.Text)
        {
            Tier = id.Tier,
            Owner = caller.Tenant,
            Name = put.Endpoint,
            ExpiresAt = (now + LifeOf(put)).UtcDateTime,
            MaxAttempts = 1,
            Headers = JsonSerializer.Serialize(headers, BellaJson.Instance.BellaHeaders),
            CompletionActions = new CompletionActions
            {
                CallbackUrl = id.Mode == NumberedTaskMode.Callback && !string.IsNullOrEmpty(put.CallbackUrl) ? put.CallbackUrl : null,
                ReplyTo = id.Mode is NumberedTaskMode.Blocking or NumberedTaskMode.Streaming ? self.Name : null,
                LeaseExpiryResult = id.LeaseExpiryResult,
            },
        };
    }

    /// <summary>Groups claimed tasks by full queue name, oldest first. A first delivery still has status waiting.</summary>
    /// <param name="tasks">The claimed tasks.</param>
    /// <param name="lends">Whether workers of a queue receive a token to act for the submitter.</param>
    public Dictionary<string, List<BellaTask>> ToTaken(IEnumerable<TaskState> tasks, Predicate<string> lends) =>
        tasks.GroupBy(t => $"{t.Queue}:{t.Tier}").ToDictionary(
            group => group.Key,
            group => group.Select(t => ToTask(t, Status[t.Attempt == 1 ? TaskStates.Pending : TaskStates.Running]) with
            {
                SubmitterToken = lends(t.Queue) ? TokenOf(t) : null,
            }).ToList());

    private string? TokenOf(TaskState task)
    {
        var headers = Headers(task.Headers);
        return tokens.Mint(task, headers?.Submitter, headers?.SubmitterScopes);
    }

    /// <summary>Maps a task. An expired task keeps its previous status unless configured otherwise (bella.md 3).</summary>
    public BellaTask ToTask(TaskState task) =>
        ToTask(task, task.State == TaskStates.Expired && !options.Value.ShowTimeout
            ? Status[task.Attempt == 0 ? TaskStates.Pending : TaskStates.Running] : Status[task.State]);

    /// <summary>Redacts a task for callers that do not work on it.</summary>
    public static BellaTask Redact(BellaTask task, Redactor redactor) => task with
    {
        Ak = redactor.Hides("ak") ? "" : task.Ak,
        CallbackUrl = redactor.Text("callback_url", task.CallbackUrl),
        Data = new RawJson(redactor.Json(task.Data.Text)),
        Result = task.Result is { } result ? new RawJson(redactor.Json(result.Text)) : null,
    };

    private BellaTask ToTask(TaskState task, string status)
    {
        var headers = Headers(task.Headers);
        var isOnline = task.Tier == 0;
        var start = Milliseconds(task.CreatedAt);
        long? completed = task.State == TaskStates.Completed && task.FinishedAt is { } end ? Milliseconds(end) : null;
        return new BellaTask
        {
            TaskId = NumberedTaskId.Format(task.CorrelationId),
            BatchId = task.BatchId is { } batch ? BatchId.Format(batch) : isOnline ? null : "",
            TraceId = headers?.TraceId ?? (isOnline ? null : ""),
            InstanceId = isOnline ? headers?.InstanceId ?? self.Name : null,
            Ak = headers?.Submitter ?? "",
            Endpoint = task.Name ?? "",
            Queue = task.Queue,
            Level = task.Tier,
            Data = new RawJson(task.Payload),
            Status = status,
            Result = task.Result is { } result ? new RawJson(result) : null,
            StartTime = start,
            RunningTime = completed - start ?? 0,
            ExpireTime = task.ExpiresAt is { } expiry ? Milliseconds(expiry) : null,
            CompletedTime = completed ?? 0,
            CallbackUrl = headers?.CallbackUrl ?? "",
            ResponseMode = headers?.ResponseMode ?? Callback,
        };
    }

    public static ApiException Wrong(string message) => new(400, "invalid_request", message);

    private static BellaHeaders? Headers(string? text)
    {
        try
        {
            return text is null ? null : JsonSerializer.Deserialize(text, BellaJson.Instance.BellaHeaders);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null; // submitted by a bus producer
        }
    }

    private static long Milliseconds(DateTime time) => new DateTimeOffset(time).ToUnixTimeMilliseconds();
}
