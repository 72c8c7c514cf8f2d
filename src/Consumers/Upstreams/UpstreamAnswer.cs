using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>What an upstream answered, or why it did not.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">JSON text.</param>
internal sealed record UpstreamAnswer(int Status, string Body)
{
    private const string Nothing = "{}";

    /// <summary>The result of the task goes around the body, and readers of results go 64 deep.</summary>
    private const int MaxDepth = 62;

    private const int MaxRequestId = 256;

    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether the same request may fare better later.</summary>
    public bool MayRetry { get; init; }

    /// <summary>How long the upstream wants to be left alone.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the caller was told all of it already, as events.</summary>
    public bool IsTold { get; init; }

    /// <summary>No answer of the upstream: one of ours in the shape of its errors.</summary>
    public static UpstreamAnswer Error(int status, string message) =>
        new(status, $$$"""{"error":{"message":{{{JsonSerializer.Serialize(message, Plain)}}},"type":"upstream_error"}}""");

    /// <summary>The result of a task (bella.md 4.5).</summary>
    public string ToResult(string requestId) =>
        $$"""{"status_code":{{Status}},"request_id":{{JsonSerializer.Serialize(requestId, Plain)}},"body":{{Body}}}""";

    /// <summary>JSON as it is, other text as a JSON string, nothing as an empty object.</summary>
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
    /// The id of a task as its submitter knows it. APIs that have ids of their own say it in the result of an expired lease; elsewhere it
    /// is the engine's, and where theirs cannot be a header.
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
            return task.CorrelationId.ToString(); // of a bus producer
        }
    }

    private static bool IsJson(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = MaxDepth });
        try
        {
            while (reader.Read())
            {
                // Only whether it can be read.
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
