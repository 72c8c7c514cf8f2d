using System.Net;
using System.Text.Json;
using TaskQueue.Api.Http;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Api.Bella;

/// <summary>Between bella's words and the engine's.</summary>
internal static class BellaMapping
{
    /// <summary>A fifo take hands out at most so many (bella.md 5).</summary>
    private const int FifoMax = 10;
    private const int MaxQueues = 1000;
    private const string Callback = "callback";
    private static readonly TimeSpan CallbackLife = TimeSpan.FromHours(24);

    /// <summary>Words for the states. There is none for "in the hands of a worker": that is queued.</summary>
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

    /// <summary>The rule for names of queues in words (bella.md 2): shorter ones than the engine's.</summary>
    public const string NameRule = "letters, digits, '-' and '_', 1 to 64 of them";

    /// <summary>Whether a name is allowed.</summary>
    public static bool IsName(string? name) => name is { Length: <= 64 } && QueueNames.IsValid(name);

    /// <summary>Checks a put; its queue may still be unknown.</summary>
    /// <exception cref="DoorException">400.</exception>
    public static void Check(BellaPutBody put)
    {
        if (!IsName(put.Queue))
            throw Wrong($"queue must be a name of {NameRule}");
        if (put.Endpoint is not { Length: <= 64 })
            throw Wrong("endpoint must be a text of at most 64 characters");
        if (put.Level is < 0 or > QueueNames.MaxLevel)
            throw Wrong($"level must be 0 to {QueueNames.MaxLevel}");
        if (put.Data is not { IsObject: true })
            throw Wrong("data must be an object");
        if (put.CallbackUrl is { Length: > 256 })
            throw Wrong("callback_url must have at most 256 characters");
        if (put.TraceId is { Length: > 128 })
            throw Wrong("trace_id must have at most 128 characters");
        if (put.ResponseMode is "blocking" or "streaming")
            throw Wrong($"response_mode {put.ResponseMode} is not available yet; only callback is");
        if (put.ResponseMode is not (null or Callback))
            throw Wrong("response_mode must be callback, blocking or streaming");
    }

    /// <summary>The task of a put that was checked.</summary>
    public static TaskSubmission ToSubmission(BellaPutBody put, BellaTaskId id, DateTimeOffset now, string server)
    {
        var headers = new BellaHeaders(put.CallbackUrl, put.TraceId, Callback, id.Level == 0 ? server : null);
        return new TaskSubmission(id.ToGuid(), put.Queue!, put.Data!.Value.Text)
        {
            Level = id.Level,
            Name = put.Endpoint,
            ExpiresAt = (now + (put.Timeout is { } seconds and > 0 ? TimeSpan.FromSeconds(seconds) : CallbackLife)).UtcDateTime,
            MaxAttempts = 1,
            Headers = JsonSerializer.Serialize(headers, BellaJson.Shapes.BellaHeaders),
        };
    }

    /// <summary>What a take asks for; its queues may still be unknown.</summary>
    /// <exception cref="DoorException">400.</exception>
    public static ClaimRequest ToClaim(BellaTakeBody take)
    {
        if (take.Strategy is "round_robin" or "active_passive" or "sequential")
            throw Wrong($"strategy {take.Strategy} is not available yet; only fifo is");
        if (take.Strategy is not (null or "fifo"))
            throw Wrong("strategy must be fifo, round_robin, active_passive or sequential");
        if (take.MinAgeSeconds > 0)
            throw Wrong("min_age_seconds is not available yet");
        if (take.Queues is not { Count: >= 1 and <= MaxQueues })
            throw Wrong($"queues must be a list of 1 to {MaxQueues} queues");
        var targets = take.Queues.Select(q => QueueNames.Parse(q, levelRequired: true) ?? throw Wrong($"queues: '{q}' is not of the form name:level")).Distinct().ToList();
        var size = take.Size ?? throw Wrong("size must be a number of tasks");
        return new ClaimRequest(targets, Math.Clamp(size, 0, FifoMax), "bella", LeaseMs(take.ProcessTimeout ?? 0), ClaimOrder.Oldest);
    }

    /// <summary>
    /// Where a take gives no process_timeout a task is handed out once: its single attempt then has the longest lease, and
    /// is over when that lapses.
    /// </summary>
    private static int LeaseMs(int processTimeout) =>
        processTimeout switch
        {
            <= 0 => TaskVerbs.MaxLeaseMs,
            <= TaskVerbs.MaxLeaseMs / 1000 => processTimeout * 1000,
            _ => throw Wrong($"process_timeout must be at most {TaskVerbs.MaxLeaseMs / 1000} seconds"),
        };

    /// <summary>Tasks under the full names of their queues, oldest first. A first delivery still says waiting.</summary>
    public static Dictionary<string, List<BellaTask>> ToTaken(IEnumerable<TaskState> tasks, string server) =>
        tasks.GroupBy(t => $"{t.Queue}:{t.Level}").ToDictionary(
            group => group.Key,
            group => group.Select(t => ToTask(t, Status[t.Attempt == 1 ? TaskStates.Pending : TaskStates.Running], server)).ToList());

    /// <summary>A task as it is now.</summary>
    public static BellaTask ToTask(TaskState task, string server) => ToTask(task, Status[task.State], server);

    private static BellaTask ToTask(TaskState task, string status, string server)
    {
        var headers = Headers(task.Headers);
        var isOnline = task.Level == 0;
        var start = Milliseconds(task.CreatedAt);
        long? completed = task.State == TaskStates.Completed && task.FinishedAt is { } end ? Milliseconds(end) : null;
        return new BellaTask
        {
            TaskId = BellaTaskId.Format(task.CorrelationId),
            BatchId = isOnline ? null : "",
            TraceId = headers?.TraceId ?? (isOnline ? null : ""),
            InstanceId = isOnline ? headers?.InstanceId ?? server : null,
            Ak = "", // the key of who put the task is not kept
            Endpoint = task.Name ?? "",
            Queue = task.Queue,
            Level = task.Level,
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

    /// <summary>ip:port of the server that a request reached.</summary>
    public static string Server(ConnectionInfo connection)
    {
        var address = connection.LocalIpAddress ?? IPAddress.Loopback;
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, connection.LocalPort).ToString();
    }

    public static DoorException Wrong(string message) => new(400, "invalid_request", message);

    private static BellaHeaders? Headers(string? text)
    {
        try
        {
            return text is null ? null : JsonSerializer.Deserialize(text, BellaJson.Shapes.BellaHeaders);
        }
        catch (JsonException)
        {
            return null; // of a bus producer
        }
    }

    private static long Milliseconds(DateTime time) => new DateTimeOffset(time).ToUnixTimeMilliseconds();
}
