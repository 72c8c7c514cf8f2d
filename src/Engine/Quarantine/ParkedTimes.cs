using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Quarantine;

/// <summary>The saved times of a quarantined task, by which sweeps select.</summary>
/// <param name="LeaseUntil">When its lease expires.</param>
/// <param name="DispatchAt">When it is dispatched.</param>
/// <param name="ExpiresAt">When it expires.</param>
/// <param name="DueAt">When it may start.</param>
public sealed record ParkedTimes(DateTime? LeaseUntil, DateTime? DispatchAt, DateTime? ExpiresAt, DateTime? DueAt)
{
    /// <summary>Sentinel time: a task due then is never claimed, and a batch leased until then is never processed.</summary>
    internal static readonly DateTime Never = new(9999, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>The JSON stored in the state of an item.</summary>
    internal string ToText() => JsonSerializer.Serialize(this, ParkedJson.Default.ParkedTimes);

    internal static ParkedTimes Parse(string text) => JsonSerializer.Deserialize(text, ParkedJson.Default.ParkedTimes)!;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ParkedTimes))]
internal sealed partial class ParkedJson : JsonSerializerContext;
