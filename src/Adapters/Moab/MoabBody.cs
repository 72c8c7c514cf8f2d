using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Moab;

/// <summary>
/// Reads the bodies of this API: comments and unknown members are skipped, names may be protojson's lowerCamelCase or those of
/// earlier versions, integers may be quoted (moab.md 1).
/// </summary>
internal static class MoabBody
{
    private static readonly JsonReaderOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>Names of earlier versions.</summary>
    private static readonly Dictionary<string, string> Renamed = new() { ["max_inflight_tasks"] = "max_in_progress_tasks" };

    /// <exception cref="ApiException">400, or 413 if the body is larger than any valid one.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        var maxBytes = context.RequestServices.GetRequiredService<IOptions<MoabOptions>>().Value.MaxBodyBytes;
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false })
            return Parse("{}"u8, type); // for example ListQueues without options
        using var document = await RequestJson.ReadDocumentAsync(context, maxBytes, Lenient);
        try
        {
            return Read(document.RootElement, type);
        }
        catch (InvalidOperationException)
        {
            throw MoabFields.Wrong("the body has a text with half of a surrogate pair");
        }
    }

    /// <summary>Deserializes the object in a document.</summary>
    /// <exception cref="ApiException">400: the body has another shape.</exception>
    /// <exception cref="InvalidOperationException">A string has an unpaired surrogate.</exception>
    public static T Read<T>(JsonElement body, JsonTypeInfo<T> type)
        where T : class
    {
        var canonical = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(canonical))
            Write(body, writer);
        return Parse(canonical.WrittenSpan, type);
    }

    private static T Parse<T>(ReadOnlySpan<byte> body, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw MoabFields.Wrong("the body must be a JSON object");
        }
        catch (JsonException fault)
        {
            var path = fault.Path is { Length: > 2 } p ? p[2..] : "the body";
            throw MoabFields.Wrong(fault is NotAnIntegerException ? $"{path} {fault.Message}" : $"{path} has the wrong type or form");
        }
    }

    /// <summary>Copies JSON with canonical member names. Safe, because no member of this API holds a client's own object.</summary>
    private static void Write(JsonElement value, Utf8JsonWriter writer)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var member in value.EnumerateObject())
                {
                    writer.WritePropertyName(Name(member.Name));
                    Write(member.Value, writer);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                    Write(item, writer);
                writer.WriteEndArray();
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }

    private static string Name(string name)
    {
        if (name.Any(char.IsAsciiLetterUpper))
        {
            var snake = new StringBuilder(name.Length + 8);
            foreach (var letter in name)
                _ = char.IsAsciiLetterUpper(letter) ? snake.Append('_').Append(char.ToLowerInvariant(letter)) : snake.Append(letter);
            name = snake.ToString();
        }

        return Renamed.GetValueOrDefault(name, name);
    }
}

/// <summary>A number that is not a 64-bit integer.</summary>
internal sealed class NotAnIntegerException()
    : JsonException("must be an integer of 64 bits, such as 1695826539671432000, without a fraction or an exponent");

/// <summary>Reads 64-bit integers, quoted or not; never via floating point, which would lose nanoseconds.</summary>
internal sealed class MoabIntegers : JsonConverter<long>
{
    public override long Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        long number;
        var isInteger = reader.TokenType switch
        {
            JsonTokenType.Number => reader.TryGetInt64(out number),
            JsonTokenType.String =>
                long.TryParse(reader.GetString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number),
            _ => (number = 0) != 0,
        };
        return isInteger ? number : throw new NotAnIntegerException();
    }

    public override void Write(Utf8JsonWriter writer, long value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}
