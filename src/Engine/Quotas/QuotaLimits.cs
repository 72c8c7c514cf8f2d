using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Quotas;

/// <summary>Limits of a tenant by resource. Null is not set here; <see cref="Unlimited"/> is no limit.</summary>
public sealed record QuotaLimits
{
    /// <summary>The value that means no limit.</summary>
    public const long Unlimited = -1;

    /// <summary>Maximum requests a second; a token must cost at least a microsecond.</summary>
    public const long MaxRequestsPerSecond = 1_000_000;

    /// <summary>Maximum waiting tasks.</summary>
    public long? WaitingTasks { get; set; }

    /// <summary>Maximum bytes of files.</summary>
    public long? FileBytes { get; set; }

    /// <summary>Maximum declared queues.</summary>
    public long? Queues { get; set; }

    /// <summary>Maximum schedules.</summary>
    public long? Schedules { get; set; }

    /// <summary>Maximum concurrent event streams and waiting requests.</summary>
    public long? Streams { get; set; }

    /// <summary>Maximum requests a second over all processes.</summary>
    public long? RequestsPerSecond { get; set; }

    /// <summary>The limit of a resource; null is no limit.</summary>
    public long? this[QuotaResource resource] => resource switch
    {
        QuotaResource.WaitingTasks => WaitingTasks,
        QuotaResource.FileBytes => FileBytes,
        QuotaResource.Queues => Queues,
        QuotaResource.Schedules => Schedules,
        QuotaResource.Streams => Streams,
        _ => RequestsPerSecond,
    };

    /// <summary>The validation error, or null.</summary>
    [JsonIgnore]
    public string? Problem
    {
        get
        {
            foreach (var resource in Enum.GetValues<QuotaResource>())
            {
                if (this[resource] < Unlimited)
                    return $"{resource} must be 0 or more, or {Unlimited} for no limit";
            }

            return RequestsPerSecond is 0 or > MaxRequestsPerSecond
                ? $"{nameof(RequestsPerSecond)} must be 1 to {MaxRequestsPerSecond}, or {Unlimited} for no limit" : null;
        }
    }

    /// <summary>Serializes the quota of a key for column <c>quota</c> of <c>api_keys</c>.</summary>
    public string ToText() => JsonSerializer.Serialize(this, QuotaLimitsJson.Default.QuotaLimits);

    /// <summary>Parses the output of <see cref="ToText"/>.</summary>
    /// <exception cref="JsonException">The text is no quota.</exception>
    public static QuotaLimits FromText(string text) =>
        JsonSerializer.Deserialize(text, QuotaLimitsJson.Default.QuotaLimits) ?? throw new JsonException("null is no quota");

    /// <summary>Fills unset limits from another instance.</summary>
    internal QuotaLimits Or(QuotaLimits other) => Combine(other, (mine, others) => mine ?? others);

    /// <summary>The smaller limit of each resource: keys of one tenant share its quota.</summary>
    internal QuotaLimits Min(QuotaLimits other) => Combine(other, (mine, others) =>
        mine is null ? others : others is null ? mine : mine == Unlimited ? others : others == Unlimited ? mine
            : Math.Min(mine.Value, others.Value));

    /// <summary>The effective limits: null is no limit.</summary>
    internal QuotaLimits Effective() => Combine(this, (mine, _) => mine == Unlimited ? null : mine);

    private QuotaLimits Combine(QuotaLimits other, Func<long?, long?, long?> combine) => new()
    {
        WaitingTasks = combine(WaitingTasks, other.WaitingTasks),
        FileBytes = combine(FileBytes, other.FileBytes),
        Queues = combine(Queues, other.Queues),
        Schedules = combine(Schedules, other.Schedules),
        Streams = combine(Streams, other.Streams),
        RequestsPerSecond = combine(RequestsPerSecond, other.RequestsPerSecond),
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(QuotaLimits))]
internal sealed partial class QuotaLimitsJson : JsonSerializerContext;
