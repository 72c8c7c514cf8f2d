using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

/// <summary>Extracts the submitter's data from a payload.</summary>
internal static class TaskPayload
{
    /// <summary>
    /// Reads the data member of a POST /tasks message ({"id","action","data","created_at"}), else the whole payload.
    /// Omitted data is null there, or an empty list, and is read into an object type as an object without members, and into a list as an
    /// empty one.
    /// </summary>
    public static T Read<T>(Guid task, string payload, JsonTypeInfo<T> type)
    {
        using var document = JsonDocument.Parse(payload);
        var data = DataOf(task, document.RootElement) ?? document.RootElement;
        var empty = data.ValueKind == JsonValueKind.Null || (data.ValueKind == JsonValueKind.Array && data.GetArrayLength() == 0);
        var nothing = !empty ? null : type.Kind switch
        {
            JsonTypeInfoKind.Object or JsonTypeInfoKind.Dictionary => "{}",
            JsonTypeInfoKind.Enumerable => "[]",
            _ => null,
        };
        var read = nothing is null ? data.Deserialize(type) : JsonSerializer.Deserialize(nothing, type);
        return read ?? throw new JsonException($"null is no {typeof(T).Name}");
    }

    /// <summary>The data member of a POST /tasks message; null for any other payload.</summary>
    public static JsonElement? DataOf(Guid task, JsonElement root) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty("data", out var data)
        && root.TryGetProperty("action", out _) && root.TryGetProperty("created_at", out _)
        && root.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String && id.TryGetGuid(out var value) && value == task
            ? data
            : null;
}
