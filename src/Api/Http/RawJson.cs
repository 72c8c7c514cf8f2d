using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Api.Http;

/// <summary>
/// JSON text inside an answer, byte for byte as it was submitted. A JsonElement cannot do that: it fails on a string with
/// half of a surrogate pair and on text as deep as a request may be.
/// </summary>
[JsonConverter(typeof(RawJsonConverter))]
internal readonly record struct RawJson
{
    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private RawJson(string text) => Text = text;

    /// <summary>Valid JSON.</summary>
    public string Text { get; }

    /// <summary>JSON text as it is; a bus producer's or worker's text that is none, as a JSON string.</summary>
    public static RawJson Of(string text) => new(IsJson(text) ? text : JsonSerializer.Serialize(text, JsonStyle.Options));

    private static bool IsJson(string text)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text), AnyDepth);
        try
        {
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}

/// <summary>Writes the text; nothing reads it.</summary>
internal sealed class RawJsonConverter : JsonConverter<RawJson>
{
    public override RawJson Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("Answers are only written.");

    public override void Write(Utf8JsonWriter writer, RawJson value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.Text, skipInputValidation: true);
}
