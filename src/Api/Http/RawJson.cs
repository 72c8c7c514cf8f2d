using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Api.Http;

/// <summary>
/// JSON text that passes through as it was sent. A JsonElement does not: it cannot write "\ud800", half of a surrogate
/// pair, which is valid JSON. Text that is no JSON, of a bus producer, is written as a string.
/// </summary>
[JsonConverter(typeof(RawJsonConverter))]
internal readonly record struct RawJson(string Text)
{
    public bool IsObject => Text.StartsWith('{');
}

internal sealed class RawJsonConverter : JsonConverter<RawJson>
{
    public override RawJson Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var value = JsonDocument.ParseValue(ref reader);
        return new RawJson(value.RootElement.GetRawText());
    }

    public override void Write(Utf8JsonWriter writer, RawJson value, JsonSerializerOptions options)
    {
        try
        {
            writer.WriteRawValue(value.Text);
        }
        catch (Exception fault) when (fault is JsonException or ArgumentException)
        {
            // It was checked first: nothing of it is written.
            writer.WriteStringValue(value.Text);
        }
    }
}
