using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Quarantine;

/// <summary>The times of a task that is set aside, which the sweeps go by.</summary>
/// <param name="LeaseUntil">End of its lease.</param>
/// <param name="DispatchAt">When it is dispatched.</param>
/// <param name="ExpiresAt">When it expires.</param>
/// <param name="DueAt">When it may start.</param>
public sealed record ParkedTimes(DateTime? LeaseUntil, DateTime? DispatchAt, DateTime? ExpiresAt, DateTime? DueAt)
{
    /// <summary>No worker gets a task that is due then, and no scheduler a batch that is held until then.</summary>
    internal static readonly DateTime Never = new(9999, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>As it is kept in the state of an item.</summary>
    internal string ToText() => JsonSerializer.Serialize(this, ParkedJson.Default.ParkedTimes);

    internal static ParkedTimes Parse(string text) => JsonSerializer.Deserialize(text, ParkedJson.Default.ParkedTimes)!;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ParkedTimes))]
internal sealed partial class ParkedJson : JsonSerializerContext;
