using System.Text.Json;

namespace TaskQueue.Storage;

/// <summary>The lists of an outbox row as JSON, for databases without arrays.</summary>
internal static class OutboxJson
{
    /// <summary>Writes a list.</summary>
    public static string Write<T>(T[] values) => JsonSerializer.Serialize(values);

    /// <summary>Reads a list.</summary>
    public static T[] Read<T>(string json) => JsonSerializer.Deserialize<T[]>(json)!;
}
