using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.Bella;

/// <summary>POST /v1/queue/register.</summary>
/// <param name="Queue">Base name of the queue.</param>
/// <param name="Endpoint">Endpoint the queue serves: 1 to 256 characters.</param>
public sealed record BellaRegisterBody(string? Queue, string? Endpoint);

/// <summary>GET /v1/queue/{queue}/metadata.</summary>
public sealed record BellaQueue(string Queue, string? Endpoint);

/// <summary>POST /v1/queue/put.</summary>
/// <param name="Queue">Base name of a registered queue; if missing, the queue of <c>data.model</c>.</param>
/// <param name="Endpoint">Endpoint that processes the task: at most 64 characters.</param>
/// <param name="Level">0 online (the default), 1..N offline.</param>
/// <param name="Data">The task, an object.</param>
/// <param name="ResponseMode"><c>callback</c>, the default; <c>blocking</c> and <c>streaming</c> at level 0 only.</param>
/// <param name="CallbackUrl">At most 256 characters.</param>
/// <param name="Timeout">Seconds until the task expires; absent, 0 or negative: 24 hours, or 300 seconds for a waiting caller, which
/// waits at most 600.</param>
/// <param name="TraceId">Free text, at most 128 characters.</param>
public sealed record BellaPutBody(
    string? Queue, string? Endpoint, int? Level, RawJson? Data, string? ResponseMode, string? CallbackUrl, int? Timeout, string? TraceId);

/// <summary>Response of a put: the only success response with a wrapper.</summary>
public sealed record BellaPutAnswer(int Code, long Timestamp, string Data);

/// <summary>POST /v1/queue/take. Other members, such as endpoint and worker, are ignored.</summary>
/// <param name="Queues">Full names, <c>name:level</c>.</param>
/// <param name="Size">Maximum number of tasks.</param>
/// <param name="Strategy"><c>fifo</c>, the default, <c>round_robin</c>, <c>active_passive</c> or <c>sequential</c>.</param>
/// <param name="ProcessTimeout">Lease in seconds; 0: never expires.</param>
/// <param name="ProcessMaxRetries">How often a task is handed out again after its lease expired; -1: always.</param>
/// <param name="MinAgeSeconds">Minimum age of the tasks in seconds.</param>
public sealed record BellaTakeBody(
    IReadOnlyList<string?>? Queues, int? Size, string? Strategy, int? ProcessTimeout, int? ProcessMaxRetries, int? MinAgeSeconds);

/// <summary>A task as seen by workers and callers. Times are Unix milliseconds; 0: not yet.</summary>
public sealed record BellaTask
{
    public required string TaskId { get; init; }

    /// <summary>Offline only; "" if the task belongs to no batch.</summary>
    public string? BatchId { get; init; }

    /// <summary>Only in takes from queues with <c>submitter_token</c>: short-lived token to act for the submitter in this queue.</summary>
    public string? SubmitterToken { get; init; }

    /// <summary>Online: present only if the put had one; offline: "" if it did not.</summary>
    public string? TraceId { get; init; }

    /// <summary>Online only: ip:port of the server that accepted the put.</summary>
    public string? InstanceId { get; init; }

    public required string Ak { get; init; }

    public required string Endpoint { get; init; }

    public required string Queue { get; init; }

    public required int Level { get; init; }

    public required RawJson Data { get; init; }

    public required string Status { get; init; }

    /// <summary>Result from the worker.</summary>
    public RawJson? Result { get; init; }

    public required long StartTime { get; init; }

    public required long RunningTime { get; init; }

    /// <summary>Absent for a task of another API that never expires.</summary>
    public long? ExpireTime { get; init; }

    public required long CompletedTime { get; init; }

    public required string CallbackUrl { get; init; }

    public required string ResponseMode { get; init; }
}

/// <summary>This API's task headers; the submitter is stored as a name, with the scopes its tasks may lend.</summary>
public sealed record BellaHeaders(string? CallbackUrl, string? TraceId, string? ResponseMode, string? InstanceId, string? Submitter = null,
    string? SubmitterScopes = null);

/// <summary>POST /v1/queue/{id}/progress, and the payload of a progress event on the bus.</summary>
/// <param name="EventId">The worker's event id: a string or a number.</param>
/// <param name="EventName">Event type, such as <c>message</c>.</param>
/// <param name="EventData">Any JSON; a string is sent unquoted.</param>
public sealed record BellaProgressBody(
    [property: JsonPropertyName("eventId")] RawJson? EventId,
    [property: JsonPropertyName("eventName")] string? EventName,
    [property: JsonPropertyName("eventData")] RawJson? EventData);

/// <summary>GET /v1/queue/eventbus.</summary>
/// <param name="Url">Address of the broker, without user and password; of this server if there is no broker.</param>
/// <param name="Topic">Prefix that, followed by a task's instance_id, names the queue for the task's events.</param>
public sealed record BellaEventBus(string Url, string Topic);

/// <summary>GET /v1/queue/{name:level}/stats. Ids and keys are derived from the counts, which only grow.</summary>
public sealed record BellaStats(
    int Id, string Queue, int Level, string LastWroteShardingKey, long LastWroteId, string LastScannedShardingKey, long LastScannedId,
    long TotalPutCnt, long TotalLoadedCnt, long TotalCompletedCnt, long Cuid, long Muid, string CuName, string MuName, string Ctime,
    string Mtime);

/// <summary>Error body of this API; the OpenAI SDKs read <c>error</c>.</summary>
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
    /// <summary>The context with this API's options: nulls are omitted.</summary>
    public static BellaJson Instance { get; } =
        new(new JsonSerializerOptions(JsonStyle.Options)
        {
            AllowDuplicateProperties = true,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        });
}
