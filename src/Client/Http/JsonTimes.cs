using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;

namespace TaskQueue.Client.Http;

/// <summary>A time span that the server writes as a number of seconds.</summary>
internal sealed class SecondsConverter : JsonConverter<TimeSpan>
{
    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        TimeSpan.FromSeconds(reader.GetDouble());

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
        writer.WriteNumberValue(value.TotalSeconds);
}

/// <summary>A retry policy as the server writes it: intervals, or first, factor, cap and jitter.</summary>
internal sealed class RetryConverter : JsonConverter<RetryPolicy>
{
    public override RetryPolicy Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        var root = document.RootElement;
        var standard = new RetryPolicy();
        return new RetryPolicy
        {
            Intervals = root.TryGetProperty("intervals", out var list) && list.ValueKind == JsonValueKind.Array
                ? [.. list.EnumerateArray().Select(i => i.GetDouble())] : null,
            FirstSeconds = Number(root, "first") ?? standard.FirstSeconds,
            Factor = Number(root, "factor") ?? standard.Factor,
            CapSeconds = Number(root, "cap") ?? standard.CapSeconds,
            Jitter = Number(root, "jitter") ?? standard.Jitter,
        };
    }

    public override void Write(Utf8JsonWriter writer, RetryPolicy value, JsonSerializerOptions options) =>
        throw new NotSupportedException("only read");

    private static double? Number(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
