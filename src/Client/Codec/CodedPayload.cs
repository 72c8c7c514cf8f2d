using System.Text;
using System.Text.Json;

namespace TaskQueue.Client;

/// <summary>Applies the codec, if there is one, to tasks on their way to and from the server.</summary>
internal static class CodedPayload
{
    /// <summary>Encodes a task before it is sent.</summary>
    public static NewTask EncodeTask(this ITaskPayloadCodec? codec, NewTask task) =>
        codec is null || task.Data is not { } data ? task : task with { Data = codec.Encode(TaskText.Data, data) };

    /// <summary>Decodes a payload for its processor. Only the data member of the POST /tasks message is encoded.</summary>
    /// <exception cref="TaskPayloadException">The payload cannot be decoded.</exception>
    public static string DecodePayload(this ITaskPayloadCodec? codec, Guid task, string payload)
    {
        if (codec is null && !payload.Contains("$enc", StringComparison.Ordinal))
            return payload;
        using var document = TryParse(payload);
        if (document is null)
            return payload; // submitted through an API that accepts any text
        var root = document.RootElement;
        if (codec is null)
        {
            CodecEnvelope.DemandPlain(TaskPayload.DataOf(task, root) ?? root, "data of the task");
            return payload;
        }

        return TaskPayload.DataOf(task, root) is { } data
            ? Replace(root, codec.Decode(TaskText.Data, data.GetRawText()))
            : codec.Decode(TaskText.Data, payload);
    }

    /// <summary>Decodes a task read from the server. Without a codec it stays encoded, and reading its result throws.</summary>
    /// <exception cref="TaskPayloadException">The payload cannot be decoded.</exception>
    public static TaskInfo DecodeTask(this ITaskPayloadCodec? codec, TaskInfo task) =>
        codec is null ? task : task with
        {
            Payload = Parse(codec.DecodePayload(task.Id, task.Payload.GetRawText())),
            Result = Decode(codec, TaskText.Result, task.Result),
            Progress = Decode(codec, TaskText.Progress, task.Progress),
        };

    private static JsonElement? Decode(ITaskPayloadCodec codec, TaskText text, JsonElement? json) =>
        json is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } value
            ? Parse(codec.Decode(text, value.GetRawText())) : json;

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    private static JsonDocument? TryParse(string payload)
    {
        try
        {
            return JsonDocument.Parse(payload);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Replace(JsonElement message, string data)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, TaskBody.Relaxed))
        {
            writer.WriteStartObject();
            foreach (var member in message.EnumerateObject())
            {
                writer.WritePropertyName(member.Name);
                if (member.NameEquals("data"u8))
                    writer.WriteRawValue(data);
                else
                    member.Value.WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
