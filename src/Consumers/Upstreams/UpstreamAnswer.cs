using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>An upstream's response, or an error in its place.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">JSON text.</param>
internal sealed record UpstreamAnswer(int Status, string Body)
{
    private const string Nothing = "{}";

    /// <summary>Readers of results accept a depth of 64; the task's result wraps the body.</summary>
    private const int MaxDepth = 62;

    private const int MaxRequestId = 256;

    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether a retry may succeed.</summary>
    public bool MayRetry { get; init; }

    /// <summary>The upstream's Retry-After.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the caller has already received the whole response as events.</summary>
    public bool IsTold { get; init; }

    /// <summary>An error of this server in the upstream's error format.</summary>
    public static UpstreamAnswer Error(int status, string message) =>
        new(status, $$$"""{"error":{"message":{{{JsonSerializer.Serialize(message, Plain)}}},"type":"upstream_error"}}""");

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

    private static bool IsJson(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = MaxDepth });
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
