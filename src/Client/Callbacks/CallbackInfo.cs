using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A callback of a task or a batch.</summary>
public sealed record CallbackInfo
{
    /// <summary>Its id.</summary>
    public string Id { get; init; } = "";

    /// <summary>The task or batch.</summary>
    public Guid TaskId { get; init; }

    /// <summary>Queue of the task or batch; null if it is gone, or was not asked for.</summary>
    public string? Queue { get; init; }

    /// <summary>Its owner; null in lists of one task.</summary>
    public string? Owner { get; init; }

    /// <summary>The receiver.</summary>
    public string Url { get; init; } = "";

    /// <summary><c>waiting</c>, <c>delivered</c> or <c>failed</c>.</summary>
    public string State { get; init; } = "";

    /// <summary>Number of tries.</summary>
    public int Attempts { get; init; }

    /// <summary>When the next try is due; null at the end.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>When its task or batch ended.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was delivered or has failed.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>Its tries, oldest first; empty if the server hides them.</summary>
    [JsonConverter(typeof(CallbackLogConverter))]
    public IReadOnlyList<CallbackTry> Log { get; init; } = [];
}

/// <summary>A try of a callback.</summary>
public sealed record CallbackTry
{
    /// <summary>When it began.</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>The HTTP status of the answer; null if there was none.</summary>
    public int? Status { get; init; }

    /// <summary>Why it did not succeed.</summary>
    public string? Error { get; init; }

    /// <summary>How long it took, in milliseconds.</summary>
    public long? DurationMs { get; init; }
}

/// <summary>Which callbacks to list; null is any.</summary>
public sealed record CallbackQuery
{
    /// <summary>Base name of the queue.</summary>
    public string? Queue { get; init; }

    /// <summary><c>waiting</c>, <c>delivered</c> or <c>failed</c>.</summary>
    public string? State { get; init; }
}

/// <summary>Reads the tries of a callback; where the server hides values, there is a text instead.</summary>
internal sealed class CallbackLogConverter : JsonConverter<IReadOnlyList<CallbackTry>>
{
    public override IReadOnlyList<CallbackTry> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var tries = new List<CallbackTry>();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return tries;
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
                tries.Add(JsonSerializer.Deserialize(ref reader, CallbackJson.Default.CallbackTry)!);
            else
                reader.Skip();
        }

        return tries;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<CallbackTry> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (var attempt in value)
            JsonSerializer.Serialize(writer, attempt, CallbackJson.Default.CallbackTry);
        writer.WriteEndArray();
    }
}

internal sealed record CallbackListAnswer(IReadOnlyList<CallbackInfo> Callbacks, string? NextCursor);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(CallbackInfo))]
[JsonSerializable(typeof(CallbackTry))]
[JsonSerializable(typeof(CallbackListAnswer))]
internal sealed partial class CallbackJson : JsonSerializerContext;
