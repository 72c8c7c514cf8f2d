using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>An upstream's response, or an error in its place.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">JSON text.</param>
internal sealed record UpstreamAnswer(int Status, string Body)
{
    private const string Nothing = "{}";

    /// <summary>Readers of results accept a depth of 64; the task's result wraps the body.</summary>
    private const int MaxDepth = 62, AnyDepth = 1000;

    private const int MaxRequestId = 256;

    /// <summary>Characters of a body that an error shows.</summary>
    private const int MaxShown = 2000;

    /// <summary>Status of some model servers for too much load in total.</summary>
    private const int Overloaded = 529;

    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether a retry may succeed.</summary>
    public bool MayRetry { get; init; }

    /// <summary>Whether the upstream does not take requests now, so that this says nothing about the request.</summary>
    public bool IsNotNow { get; init; }

    /// <summary>Whether there was no connection, or no answer in time: then all requests to the server pause.</summary>
    public bool IsSilent { get; init; }

    /// <summary>Whether there was no answer in time, as of a server with too many requests.</summary>
    public bool IsLate { get; init; }

    /// <summary>The pause that the upstream asked for.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Tokens that a stream used; null: it is not known, or the answer is no stream.</summary>
    public long? Tokens { get; init; }

    /// <summary>Whether the caller has already received the whole response as events.</summary>
    public bool IsTold { get; init; }

    /// <summary>An error of this server in the upstream's error format.</summary>
    public static UpstreamAnswer Error(int status, string message) =>
        new(status, $$$"""{"error":{"message":{{{JsonSerializer.Serialize(message, Plain)}}},"type":"upstream_error"}}""");

    /// <summary>
    /// The answer to a batch item, whose readers expect a JSON object. Any other body becomes the message of an error, and a success
    /// without an object is none.
    /// </summary>
    public static UpstreamAnswer OfItem(int status, ReadOnlySpan<byte> body)
    {
        if (IsObject(body))
            return new(status, ToJson(body));
        var text = Shown(body);
        return status is >= 200 and < 300
            ? Error((int)HttpStatusCode.BadGateway, $"the upstream answered {status} without a JSON object: {text}")
            : Error(status, text.Length > 0 ? text : $"the upstream answered {status} without a body");
    }

    /// <summary>
    /// Whether a status says that the request may be sent again later: it was not looked at, or a gateway did not get through.
    /// </summary>
    public static bool IsNotNowStatus(int status) => status is 408 or 425 or 429 or 502 or 503 or 504 or Overloaded;

    /// <summary>The result of a task (bella.md 4.5).</summary>
    public string ToResult(string requestId) =>
        $$"""{"status_code":{{Status}},"request_id":{{JsonSerializer.Serialize(requestId, Plain)}},"body":{{Body}}}""";

    /// <summary>Keeps JSON, turns other text into a JSON string, and an empty body into an empty object.</summary>
    public static string ToJson(ReadOnlySpan<byte> body)
    {
        if (body.StartsWith(Encoding.UTF8.Preamble))
            body = body[Encoding.UTF8.Preamble.Length..];
        if (body.IsEmpty)
            return Nothing;
        var text = Encoding.UTF8.GetString(body);
        return IsJson(body) ? text.Trim() : JsonSerializer.Serialize(text, Plain);
    }

    /// <summary>
    /// The task id known to the submitter. APIs with their own ids state it in the result for an expired lease; otherwise, and if the
    /// id is not a valid header value, it is the engine's id.
    /// </summary>
    public static string RequestId(TaskState task, string? leaseExpiryResult)
    {
        try
        {
            using var document = JsonDocument.Parse(leaseExpiryResult ?? Nothing);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("request_id", out var id)
                && id.ValueKind == JsonValueKind.String
                && id.GetString() is { Length: > 0 and <= MaxRequestId } text && text.All(c => c is > ' ' and <= '~')
                ? text
                : task.CorrelationId.ToString();
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return task.CorrelationId.ToString(); // submitted by a bus producer
        }
    }

    /// <summary>Whether a body is a JSON object, however deep; one deeper than readers accept is kept as a text.</summary>
    private static bool IsObject(ReadOnlySpan<byte> body)
    {
        if (body.StartsWith(Encoding.UTF8.Preamble))
            body = body[Encoding.UTF8.Preamble.Length..];
        var start = body.TrimStart(" \t\r\n"u8);
        return !start.IsEmpty && start[0] == (byte)'{' && IsJson(body, AnyDepth);
    }

    private static string Shown(ReadOnlySpan<byte> body)
    {
        var text = Encoding.UTF8.GetString(body[..Math.Min(body.Length, 4 * MaxShown)]).Trim().TrimStart('\uFEFF');
        return text.Length <= MaxShown ? text : $"{TextRules.Cut(text, MaxShown)}…";
    }

    private static bool IsJson(ReadOnlySpan<byte> text, int maxDepth = MaxDepth)
    {
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = maxDepth });
        try
        {
            while (reader.Read())
            {
                // Parses only to check validity.
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
