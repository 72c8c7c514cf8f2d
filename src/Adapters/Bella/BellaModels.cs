using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.Bella;

/// <summary>POST /v1/queue/register.</summary>
/// <param name="Queue">Base name of the queue.</param>
/// <param name="Endpoint">What the queue serves: 1 to 256 characters.</param>
public sealed record BellaRegisterBody(string? Queue, string? Endpoint);

/// <summary>GET /v1/queue/{queue}/metadata.</summary>
public sealed record BellaQueue(string Queue, string? Endpoint);

/// <summary>POST /v1/queue/put.</summary>
/// <param name="Queue">Base name of a registered queue; where it is missing the queue of <c>data.model</c>.</param>
/// <param name="Endpoint">What shall process the task: at most 64 characters.</param>
/// <param name="Level">0 online (the default), 1..N offline.</param>
/// <param name="Data">The task, an object.</param>
/// <param name="ResponseMode"><c>callback</c>, the default; <c>blocking</c> and <c>streaming</c> at level 0 only.</param>
/// <param name="CallbackUrl">At most 256 characters.</param>
/// <param name="Timeout">Seconds until the task expires; where absent, 0 or negative, 24 hours, or 300 seconds for a caller that waits, who
/// waits 600 at most.</param>
/// <param name="TraceId">Free text, at most 128 characters.</param>
public sealed record BellaPutBody(
    string? Queue, string? Endpoint, int? Level, RawJson? Data, string? ResponseMode, string? CallbackUrl, int? Timeout, string? TraceId);

/// <summary>Answer of a put: the only success in a wrapper.</summary>
public sealed record BellaPutAnswer(int Code, long Timestamp, string Data);

/// <summary>POST /v1/queue/take. Other members, such as endpoint and worker, select nothing.</summary>
/// <param name="Queues">Full names, <c>name:level</c>.</param>
/// <param name="Size">At most so many tasks.</param>
/// <param name="Strategy"><c>fifo</c>, the default, <c>round_robin</c>, <c>active_passive</c> or <c>sequential</c>.</param>
/// <param name="ProcessTimeout">Seconds until a task that is not completed is given up; 0 is never.</param>
/// <param name="ProcessMaxRetries">How often such a task is handed out again; -1 is always.</param>
/// <param name="MinAgeSeconds">Only tasks that were put so long ago.</param>
public sealed record BellaTakeBody(
    IReadOnlyList<string?>? Queues, int? Size, string? Strategy, int? ProcessTimeout, int? ProcessMaxRetries, int? MinAgeSeconds);

/// <summary>A task as workers take it and callers read it. Times are Unix milliseconds, 0 is not yet.</summary>
public sealed record BellaTask
{
    public required string TaskId { get; init; }

    /// <summary>Offline only; "" where the task is of no batch.</summary>
    public string? BatchId { get; init; }

    /// <summary>In takes of queues with <c>submitter_token</c> only: acts for the submitter, in this queue and for a short time.</summary>
    public string? SubmitterToken { get; init; }

    /// <summary>Online only where the put gave one; offline "" where it did not.</summary>
    public string? TraceId { get; init; }

    /// <summary>Online only: ip:port of the server that accepted the put.</summary>
    public string? InstanceId { get; init; }

    public required string Ak { get; init; }

    public required string Endpoint { get; init; }

    public required string Queue { get; init; }

    public required int Level { get; init; }

    public required RawJson Data { get; init; }

    public required string Status { get; init; }

    /// <summary>What the worker completed the task with.</summary>
    public RawJson? Result { get; init; }

    public required long StartTime { get; init; }

    public required long RunningTime { get; init; }

    /// <summary>Absent where a task of another API never expires.</summary>
    public long? ExpireTime { get; init; }

    public required long CompletedTime { get; init; }

    public required string CallbackUrl { get; init; }

    public required string ResponseMode { get; init; }
}

/// <summary>What this API keeps in the headers of a task; the submitter is a name, with the scopes that its tasks may lend.</summary>
public sealed record BellaHeaders(string? CallbackUrl, string? TraceId, string? ResponseMode, string? InstanceId, string? Submitter = null,
    string? SubmitterScopes = null);

/// <summary>POST /v1/queue/{id}/progress, and the payload of a progress event on the bus.</summary>
/// <param name="EventId">The worker's number of the event: text or a number.</param>
/// <param name="EventName">Such as <c>message</c>.</param>
/// <param name="EventData">Any JSON; text is sent as it is.</param>
public sealed record BellaProgressBody(
    [property: JsonPropertyName("eventId")] RawJson? EventId,
    [property: JsonPropertyName("eventName")] string? EventName,
    [property: JsonPropertyName("eventData")] RawJson? EventData);

/// <summary>GET /v1/queue/eventbus.</summary>
/// <param name="Url">Address of the broker, without user and password; of this server where there is none.</param>
/// <param name="Topic">With a task's instance_id behind it, the name of the queue that takes events of the task.</param>
public sealed record BellaEventBus(string Url, string Topic);

/// <summary>GET /v1/queue/{name:level}/stats. Ids and keys are made up from the counts, which only grow.</summary>
public sealed record BellaStats(
    int Id, string Queue, int Level, string LastWroteShardingKey, long LastWroteId, string LastScannedShardingKey, long LastScannedId,
    long TotalPutCnt, long TotalLoadedCnt, long TotalCompletedCnt, long Cuid, long Muid, string CuName, string MuName, string Ctime,
        string Mtime);

/// <summary>Every error of this API; <c>error</c> is what the OpenAI SDKs read.</summary>
public sealed record BellaError(int Code, string Message, long Timestamp, BellaErrorDetails Error);

/// <summary>The members of OpenAI's error object; the last two are always null here, but present.</summary>
public sealed record BellaErrorDetails(string Message, string Type)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Param { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Code { get; init; }
}

[JsonSerializable(typeof(BellaRegisterBody))]
[JsonSerializable(typeof(BellaQueue))]
[JsonSerializable(typeof(BellaPutBody))]
[JsonSerializable(typeof(BellaPutAnswer))]
[JsonSerializable(typeof(BellaTakeBody))]
[JsonSerializable(typeof(BellaTask))]
[JsonSerializable(typeof(Dictionary<string, List<BellaTask>>))]
[JsonSerializable(typeof(BellaHeaders))]
[JsonSerializable(typeof(BellaProgressBody))]
[JsonSerializable(typeof(BellaEventBus))]
[JsonSerializable(typeof(BellaStats))]
[JsonSerializable(typeof(List<BellaStats>))]
[JsonSerializable(typeof(BellaError))]
[JsonSerializable(typeof(string))]
internal sealed partial class BellaJson : JsonSerializerContext
{
    /// <summary>The context with this API's options: a null is left out.</summary>
    public static BellaJson Instance { get; } =
        new(new JsonSerializerOptions(JsonStyle.Options) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull });
}
