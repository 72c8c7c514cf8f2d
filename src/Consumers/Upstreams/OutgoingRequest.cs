using System.Net.Http.Headers;
using System.Net.Mime;
using System.Text;
using System.Text.Json;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>The request of a task.</summary>
/// <param name="Url">Where it is sent.</param>
/// <param name="Payload">JSON text.</param>
/// <param name="RequestId">Id of the task as its submitter knows it.</param>
/// <param name="Key">Bearer token, or null.</param>
/// <param name="Trace">Trace context of the task, or null.</param>
internal sealed record OutgoingRequest(Uri Url, byte[] Payload, string RequestId, string? Key, TraceHeaders? Trace)
{
    private const int MaxModel = 256;

    private long? _tokens;

    /// <summary>Tokens that it may use, estimated once: it may be charged many times.</summary>
    public long Tokens => _tokens ??= OwnerBudget.Estimate(Payload);

    /// <summary>Tokens of what is sent, without the answer.</summary>
    public long PromptTokens => OwnerBudget.Measure(Payload);

    /// <summary>The end of the batch whose item the task is; null if it is none.</summary>
    public DateTime? BatchEndsAt { get; init; }

    /// <summary>Owner of the task, or null.</summary>
    public string? Owner { get; init; }

    /// <summary>Whether the task is of the most urgent tier, whose callers wait.</summary>
    public bool IsOnline { get; init; }

    /// <summary>Whether the task is an item of a batch.</summary>
    public bool IsItem { get; init; }

    public static OutgoingRequest Of(TaskState task, Uri url, string requestId, string? key) =>
        new(url, Encoding.UTF8.GetBytes(task.Payload), requestId, key, TaskTrace.Onward(task.Headers))
        {
            IsItem = task.BatchId is not null,
            IsOnline = task.Tier == 0,
            Owner = task.Owner,
            BatchEndsAt = task.BatchId is null ? null : task.ExpiresAt,
        };

    /// <summary>A message; each try needs its own.</summary>
    public HttpRequestMessage ToMessage()
    {
        var message = new HttpRequestMessage(HttpMethod.Post, Url) { Content = new ByteArrayContent(Payload) };
        message.Content.Headers.ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Json);
        message.Headers.AcceptEncoding.Add(Zstd.Accepted);
        message.Headers.Add("X-Request-Id", RequestId);
        message.Headers.Add("Idempotency-Key", RequestId);
        if (Trace is not null)
            message.Headers.Add("traceparent", Trace.Parent);
        if (Trace?.State is { Length: > 0 } state && TraceHeaders.IsState(state))
            message.Headers.Add("tracestate", state);
        if (Key is not null)
            message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return message;
    }

    /// <summary>The model that the request names, if any; it is usually the first member.</summary>
    public string? FindModel()
    {
        var reader = new Utf8JsonReader(Payload);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isModel = reader.ValueTextEquals("model"u8);
                reader.Read();
                if (isModel)
                    return reader.TokenType == JsonTokenType.String ? Bounded(reader.GetString()) : null;
                reader.Skip();
            }

            return null;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null; // submitted by a bus producer, or with half of a surrogate pair
        }
    }

    private static string? Bounded(string? model) => model is { Length: > 0 and <= MaxModel } ? model : null;
}
