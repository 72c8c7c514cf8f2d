using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace TaskQueue.Api.Http;

/// <summary>Reads JSON bodies: valid UTF-8, within a limit, whatever the content type says.</summary>
internal static class RequestJson
{
    /// <summary>The body as a document; dispose it.</summary>
    /// <exception cref="DoorException">413 too_large, or 400 invalid_json.</exception>
    public static Task<JsonDocument> ReadDocumentAsync(HttpContext context, long maxBytes, JsonReaderOptions options = default) =>
        ReadAsync(context, maxBytes, body =>
        {
            // ParseValue copies; JsonDocument.Parse would go on reading a buffer that the server uses again.
            var reader = new Utf8JsonReader(body, options);
            var document = JsonDocument.ParseValue(ref reader);
            _ = reader.Read(); // throws on anything behind the value
            return document;
        });

    /// <summary>The body as an object.</summary>
    /// <exception cref="DoorException">413 too_large, 400 invalid_json or 400 invalid_request.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type, long maxBytes)
        where T : class =>
        await ReadAsync(context, maxBytes, body =>
        {
            var reader = new Utf8JsonReader(body);
            try
            {
                var value = JsonSerializer.Deserialize(ref reader, type);
                _ = reader.Read(); // throws on anything behind the value
                return value;
            }
            catch (JsonException fault) when (fault.Path is { Length: > 0 } and not "$" && fault.InnerException is not JsonException { Source: null })
            {
                var unknown = fault.Message.Contains("could not be mapped", StringComparison.Ordinal);
                throw new DoorException(400, "invalid_request", unknown ? $"{fault.Path} is no member of this request" : $"{fault.Path} has the wrong type or form");
            }
        }) ?? throw new DoorException(400, "invalid_request", "the body must be a JSON object");

    private static async Task<T> ReadAsync<T>(HttpContext context, long maxBytes, Func<ReadOnlySequence<byte>, T> parse)
    {
        Limit(context.Request.ContentLength ?? 0, maxBytes);
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (!read.IsCompleted && read.Buffer.Length <= maxBytes)
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }

            try
            {
                Limit(read.Buffer.Length, maxBytes);
                if (!IsUtf8(read.Buffer))
                    throw new DoorException(400, "invalid_json", "the body is not valid UTF-8");
                return parse(read.Buffer);
            }
            catch (Exception fault) when (fault is JsonException or InvalidOperationException)
            {
                throw new DoorException(400, "invalid_json", $"the body is not valid JSON: {fault.Message}");
            }
            finally
            {
                reader.AdvanceTo(read.Buffer.End);
            }
        }
    }

    // Not by the limit of the server, which would cut the connection while the client still sends and never reads the answer.
    private static void Limit(long bytes, long maxBytes)
    {
        if (bytes > maxBytes)
            throw new DoorException(413, "too_large", $"the body must have at most {maxBytes} bytes");
    }

    private static bool IsUtf8(ReadOnlySequence<byte> body)
    {
        if (body.IsSingleSegment)
            return Utf8.IsValid(body.FirstSpan);
        var copy = ArrayPool<byte>.Shared.Rent((int)body.Length);
        try
        {
            body.CopyTo(copy);
            return Utf8.IsValid(copy.AsSpan(0, (int)body.Length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }
    }
}
