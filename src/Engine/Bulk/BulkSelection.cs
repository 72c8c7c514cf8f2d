using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Search;

namespace TaskQueue.Engine.Bulk;

/// <summary>The tasks of an operation: a list of ids, or a search.</summary>
public sealed record BulkSelection
{
    /// <summary>Most ids of a list.</summary>
    public const int MaxIds = 1000;

    /// <summary>Different ids; null if it is a search.</summary>
    public IReadOnlyList<Guid>? Ids { get; init; }

    /// <summary>What to look for; null if it is a list.</summary>
    public TaskSearch? Search { get; init; }

    /// <summary>The stored form.</summary>
    public string ToText() => JsonSerializer.Serialize(this, BulkJson.Default.BulkSelection);

    /// <summary>Reads the stored form.</summary>
    public static BulkSelection FromText(string text) => JsonSerializer.Deserialize(text, BulkJson.Default.BulkSelection)!;
}

/// <summary>The stored form of an <see cref="Access"/>.</summary>
/// <param name="Tenant">Tenant of the caller.</param>
/// <param name="Own">Queues in which it sees what its tenant owns.</param>
/// <param name="Others">Queues in which it sees what every tenant owns.</param>
public sealed record BulkAccess(string? Tenant, IReadOnlyList<string> Own, IReadOnlyList<string> Others)
{
    /// <summary>The stored form.</summary>
    public static string ToText(Access access)
    {
        ArgumentNullException.ThrowIfNull(access);
        return JsonSerializer.Serialize(
            new BulkAccess(access.Tenant, access.Own.Patterns, access.Others.Patterns), BulkJson.Default.BulkAccess);
    }

    /// <summary>Reads the stored form.</summary>
    public static Access FromText(string text)
    {
        var stored = JsonSerializer.Deserialize(text, BulkJson.Default.BulkAccess)!;
        return new Access { Tenant = stored.Tenant, Own = QueuePatterns.Of(stored.Own), Others = QueuePatterns.Of(stored.Others) };
    }
}

[JsonSerializable(typeof(BulkSelection))]
[JsonSerializable(typeof(BulkAccess))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class BulkJson : JsonSerializerContext;
