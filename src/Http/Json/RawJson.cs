using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Http.Json;

/// <summary>Any JSON, passed through byte for byte.</summary>
/// <remarks>
/// JsonElement cannot do that: it fails on strings with unpaired surrogates and on the maximum depth of a request. Text that is not
/// JSON (from a bus producer) is written as a string.
/// </remarks>
[JsonConverter(typeof(RawJsonConverter))]
public readonly record struct RawJson(string Text)
{
    public bool IsObject => Text.StartsWith('{');
}

public sealed class RawJsonConverter : JsonConverter<RawJson>
{
    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    public override RawJson Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var value = JsonDocument.ParseValue(ref reader);
        return new RawJson(value.RootElement.GetRawText());
    }

    public override void Write(Utf8JsonWriter writer, RawJson value, JsonSerializerOptions options)
    {
        var bytes = Encoding.UTF8.GetBytes(value.Text);
        if (IsJson(bytes))
            writer.WriteRawValue(bytes, skipInputValidation: true);
        else
            writer.WriteStringValue(value.Text);
    }

    private static bool IsJson(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes, AnyDepth);
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
