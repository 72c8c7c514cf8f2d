using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using TaskQueue.Engine.Memory;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>Reads JSON bodies: valid UTF-8, within a size limit, regardless of the content type.</summary>
internal static class RequestJson
{
    /// <summary>
    /// Memory per byte of a body while it is read: the body, a parsed copy, and its strings at two bytes per character, twice.
    /// </summary>
    private const int PerByte = 6;

    /// <summary>Memory per token (a value, a name or the end of an object) in a document, which grows its table by doubling.</summary>
    private const int PerToken = 24;

    /// <summary>Memory per byte after a body was deserialized: its strings.</summary>
    private const int ObjectPerByte = 3;

    /// <summary>Initial estimate per byte of a larger body, with room for a typical number of tokens.</summary>
    private const int MostPerByte = PerByte + 1;

    private const int FirstBuffer = 128 * 1024;

    /// <summary>Reads the body as a document; the caller disposes it.</summary>
    /// <exception cref="ApiException">413 too_large, 408 too_slow, or 400 invalid_json.</exception>
    public static Task<JsonDocument> ReadDocumentAsync(HttpContext context, long maxBytes, JsonReaderOptions options = default) =>
        ReadAsync(context, maxBytes, (body, owned) =>
        {
            if (owned is { } memory)
                return WithNames(JsonDocument.Parse(memory,
                    new JsonDocumentOptions { CommentHandling = options.CommentHandling, AllowTrailingCommas = options.AllowTrailingCommas,
                        MaxDepth = options.MaxDepth }));
            // ParseValue copies; JsonDocument.Parse would keep reading from a buffer that the server reuses.
            var reader = new Utf8JsonReader(body, options);
            var document = JsonDocument.ParseValue(ref reader);
            _ = reader.Read(); // throws on trailing data
            return WithNames(document);
        });

    /// <summary>Rejects invalid names early: looking up any member throws if another name has an unpaired surrogate.</summary>
    /// <exception cref="InvalidOperationException">A name of the object is not valid text.</exception>
    private static JsonDocument WithNames(JsonDocument document)
    {
        if (document.RootElement.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in document.RootElement.EnumerateObject())
                _ = member.Name;
        }

        return document;
    }

    /// <summary>Reads the body as an object.</summary>
    /// <exception cref="ApiException">413 too_large, 408 too_slow, 400 invalid_json or 400 invalid_request.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type, long maxBytes)
        where T : class
    {
        var value = await ReadAsync(context, maxBytes, (body, whole) =>
        {
            var reader = new Utf8JsonReader(body);
            try
            {
                var read = JsonSerializer.Deserialize(ref reader, type);
                _ = reader.Read(); // throws on trailing data
                if (whole is { } bytes)
                    context.Memory().SetBody(ObjectPerByte * (long)bytes.Length);
                return read;
            }
            catch (JsonException fault) when (IsWrongShape(fault))
            {
                throw WrongShape.Of(fault, fault.Path ?? "$", type);
            }
        });
        return value ?? throw new ApiException(400, "invalid_request", "the body must be a JSON object");
    }

    /// <summary>Whether the JSON is valid but a member has the wrong type, or is given twice.</summary>
    public static bool IsWrongShape(JsonException fault) =>
        WrongShape.IsTwice(fault)
        || (fault.Path is { Length: > 0 } and not "$" && fault.InnerException is not JsonException { Source: null });

    /// <summary>Memory cost of a body that is parsed in one step.</summary>
    public static long CostOf(ReadOnlySequence<byte> body)
    {
        var tokens = 2L;
        foreach (var part in body)
        {
            var bytes = part.Span;
            tokens += bytes.Count((byte)',') + bytes.Count((byte)':') + (2L * (bytes.Count((byte)'{') + bytes.Count((byte)'[')));
        }

        return (PerByte * body.Length) + (PerToken * tokens);
    }

    public static bool IsUtf8(ReadOnlySequence<byte> body)
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

    public static ApiException Invalid(string problem) => new(400, "invalid_json", $"the body is not valid {problem}");

    /// <param name="context">The request.</param>
    /// <param name="maxBytes">Size limit.</param>
    /// <param name="parse">Receives the body; also as memory if it may keep it.</param>
    private static async Task<T> ReadAsync<T>(HttpContext context, long maxBytes,
        Func<ReadOnlySequence<byte>, ReadOnlyMemory<byte>?, T> parse)
    {
        var body = RequestBody.Of(context, maxBytes);
        try
        {
            var read = await body.ReadStartAsync();
            if (read.IsCompleted && read.Buffer.Length <= MemoryBudget.SmallBytes)
            {
                await body.Memory.ReserveSmallBodyAsync(CostOf(read.Buffer), context.RequestAborted);
                return Parse(read.Buffer, null, parse);
            }

            var whole = await ReadWholeAsync(body, read.Buffer, read.IsCompleted);
            var sequence = new ReadOnlySequence<byte>(whole);
            var cost = CostOf(sequence);
            await body.ReserveAsync(cost, cost);
            return Parse(sequence, whole, parse);
        }
        finally
        {
            body.End();
        }
    }

    private static T Parse<T>(ReadOnlySequence<byte> body, ReadOnlyMemory<byte>? owned,
        Func<ReadOnlySequence<byte>, ReadOnlyMemory<byte>?, T> parse)
    {
        try
        {
            return IsUtf8(body) ? parse(body, owned) : throw Invalid("UTF-8");
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw Invalid($"JSON: {fault.Message}");
        }
    }

    /// <summary>Copies arriving data to free the server's buffers, and reserves memory step by step.</summary>
    private static async Task<ReadOnlyMemory<byte>> ReadWholeAsync(RequestBody body, ReadOnlySequence<byte> part, bool isCompleted)
    {
        var (whole, length) = (Array.Empty<byte>(), 0);
        while (true)
        {
            if (whole.Length < length + part.Length)
            {
                var size = (int)Math.Max(Math.Min(Math.Max(FirstBuffer, 2L * whole.Length), body.Length ?? long.MaxValue),
                    length + part.Length);
                await body.ReserveAsync(2L * size, Math.Max(2L * size, MostPerByte * (body.Length ?? 0)));
                Array.Resize(ref whole, size);
            }

            part.CopyTo(whole.AsSpan(length));
            length += (int)part.Length;
            body.Advance(part.End);
            if (isCompleted)
                return whole.AsMemory(0, length);
            var read = await body.ReadAsync();
            (part, isCompleted) = (read.Buffer, read.IsCompleted);
        }
    }
}
