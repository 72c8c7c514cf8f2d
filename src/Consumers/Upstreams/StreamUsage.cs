using System.Text;
using System.Text.Json;
using TaskQueue.Engine.Batches;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Tokens that a stream of events used: as it says itself, or estimated by the text that it brought.</summary>
internal sealed class StreamUsage
{
    private long _told, _bytes;

    /// <summary>Adds an event.</summary>
    /// <param name="data">JSON text.</param>
    public void Add(string data)
    {
        try
        {
            using var document = JsonDocument.Parse(data);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                Add(document.RootElement);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // A text with half of a surrogate pair.
        }
    }

    /// <summary>The tokens of request and answer; null if the stream had neither usage nor a text that is known as such.</summary>
    /// <param name="request">Tokens of the request alone.</param>
    public long? Tokens(long request) =>
        _told > 0 ? _told : _bytes > 0 ? request + Math.Max(1, _bytes / OwnerBudget.BytesPerToken) : null;

    private void Add(JsonElement data)
    {
        var usage = new BatchUsage();
        usage.AddAnswer(data);
        if (data.TryGetProperty("response", out var response))
            usage.AddAnswer(response);
        _told = Math.Max(_told, usage.TotalTokens); // servers that tell it often tell the sum so far
        _bytes += DeltaOf(data);
        if (!data.TryGetProperty("choices", out var choices) || choices.ValueKind != JsonValueKind.Array)
            return;
        foreach (var choice in choices.EnumerateArray())
        {
            if (choice.ValueKind == JsonValueKind.Object)
                _bytes += DeltaOf(choice) + (choice.TryGetProperty("text", out var text) ? BytesOf(text) : 0);
        }
    }

    private static long DeltaOf(JsonElement parent) => parent.TryGetProperty("delta", out var delta) ? BytesOf(delta) : 0;

    /// <summary>Bytes of all texts, without those that no model wrote.</summary>
    private static long BytesOf(JsonElement value)
    {
        var bytes = 0L;
        if (value.ValueKind == JsonValueKind.String)
        {
            bytes = Encoding.UTF8.GetByteCount(value.GetString()!);
        }
        else if (value.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in value.EnumerateArray())
                bytes += BytesOf(item);
        }
        else if (value.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in value.EnumerateObject())
                bytes += member.Name is "role" or "type" or "id" ? 0 : BytesOf(member.Value);
        }

        return bytes;
    }
}
