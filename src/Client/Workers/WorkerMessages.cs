using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

internal sealed record ClaimRequest(
    IEnumerable<string> Queues, string Worker, int Max, double? LeaseSeconds, double WaitSeconds, ClaimInfo Info);

/// <summary>What the server's list of workers shows. Texts that are too long are cut.</summary>
internal sealed record ClaimInfo(string? Version, string? Host, int Slots, string Instance)
{
    private const int MaxVersion = 100, MaxHost = 200;

    public static ClaimInfo Of(TaskQueueWorkerOptions options) => new(
        Cut(options.Version, MaxVersion), Cut(Environment.MachineName, MaxHost), options.Concurrency, Guid.NewGuid().ToString("N"));

    private static string? Cut(string? text, int max) => text?.Length > max ? text[..max] : text;
}

internal sealed record ClaimAnswer(IReadOnlyList<ClaimedTask> Tasks, bool Drain);

internal sealed record StoppedRequest(string Worker);

internal sealed record ClaimedTask(
    Guid Id, int Attempt, string Queue, int Tier, string? Name, Priority? Priority,
    [property: JsonConverter(typeof(JsonTextConverter))] string Payload,
    int MaxAttempts, double? LeaseSeconds, string? Traceparent, string? Tracestate, IReadOnlyList<string>? Tags = null)
{
    [JsonConverter(typeof(JsonTextConverter))]
    public string? Progress { get; init; }
}

internal sealed record HeartbeatRequest(IReadOnlyList<HeartbeatLine> Tasks);

internal sealed record HeartbeatLine(Guid Id, int Attempt, double? LeaseSeconds,
    [property: JsonConverter(typeof(JsonTextConverter))] string? Progress, IEnumerable<LogLine>? Logs);

internal sealed record LogLine(DateTimeOffset At, string Level, string Message);

internal sealed record ReportRequest(IReadOnlyList<ReportLine> Tasks);

internal sealed record ReportLine(
    Guid Id, int Attempt, string Outcome, [property: JsonConverter(typeof(JsonTextConverter))] string? Result, string? Error,
    bool? Retryable, double? DelaySeconds)
{
    public double? RetryAfterSeconds { get; init; }

    public string? ErrorType { get; init; }

    public string? Stack { get; init; }

    public IEnumerable<LogLine>? Logs { get; init; }
}

/// <summary>One entry per request entry, in the same order.</summary>
internal sealed record LineAnswers(IReadOnlyList<LineAnswer> Tasks, bool Drain);

internal sealed record LineAnswer(Guid Id, int Attempt, string Code)
{
    /// <summary>Why an entry is invalid.</summary>
    public string? Error { get; init; }

    /// <summary>Why the entry was not applied, as if it had been sent alone; null if it is valid.</summary>
    public TaskQueueException? ToRefusal() => Code == "invalid" ? new(Error ?? "an entry is invalid", 400, "invalid_request") : null;

    /// <summary>The lease is lost: further work on the attempt is wasted.</summary>
    public bool IsGone => Code is "finished" or "stale_attempt" or "not_found";
}

/// <summary>Maps a string of JSON text to raw JSON in the message.</summary>
internal sealed class JsonTextConverter : JsonConverter<string>
{
    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var value = JsonDocument.ParseValue(ref reader);
        return value.RootElement.GetRawText();
    }

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value, skipInputValidation: true);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true, MaxDepth = 1000)]
[JsonSerializable(typeof(ClaimRequest))]
[JsonSerializable(typeof(ClaimAnswer))]
[JsonSerializable(typeof(HeartbeatRequest))]
[JsonSerializable(typeof(ReportRequest))]
[JsonSerializable(typeof(LineAnswers))]
[JsonSerializable(typeof(StoppedRequest))]
internal sealed partial class WorkerJson : JsonSerializerContext;
