using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;

namespace TaskQueue.Engine.Queues;

/// <summary>Settings of a queue. Immutable; a change replaces all of them.</summary>
public sealed record QueueSettings
{
    /// <summary>Settings of a queue that has none of its own, declared or not.</summary>
    public static readonly QueueSettings Default = new();

    /// <summary><see cref="MaxCrashes"/> of a queue that does not set it.</summary>
    public const int DefaultMaxCrashes = 3;

    /// <summary>Text for humans, at most 1,024 characters.</summary>
    public string Description { get; init; } = "";

    /// <summary>Lease of its tasks if neither claim nor task sets it; null is 15 s. Frozen into a task when it is accepted.</summary>
    public int? LeaseMs { get; init; }

    /// <summary>Default and maximum of a task's expiry, counted from its scheduled time (moab.md 6); null is never.</summary>
    public long? ExpireAfterMs { get; init; }

    /// <summary>Retry policy of failed attempts; null is 2, 4, 8 … seconds.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Attempts of a run if the task does not set it; null is as many as the retry intervals allow, otherwise 4.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>
    /// Number of lost workers after which a task fails as quarantined, whatever attempts are left; 0 is never, null is 3.
    /// </summary>
    public int? MaxCrashes { get; init; }

    /// <summary>Concurrency limit: maximum running tasks; 0 is unlimited. Pull queues only.</summary>
    public int MaxRunning { get; init; }

    /// <summary>Rate limit of claims; null is unlimited. Pull queues only.</summary>
    public RateLimit? Rate { get; init; }

    /// <summary>Whether bella's workers receive a short-lived token with each task to act for its submitter.</summary>
    public bool SubmitterToken { get; init; }

    /// <summary>While paused, no task is claimed or dispatched. Tasks are accepted, and running ones continue.</summary>
    public bool Paused { get; init; }

    /// <summary>Treatment of tasks that failed permanently.</summary>
    public DeadLetterSettings DeadLetters { get; init; } = new();

    /// <summary>Retention of finished tasks; null is the server's retention.</summary>
    public long? KeepFinishedMs { get; init; }

    /// <summary>Which events of its tasks are written to the timeline and published.</summary>
    public EventPolicy Events { get; init; }

    /// <summary>Defaults of single tiers, by tier.</summary>
    public IReadOnlyDictionary<int, TierDefaults>? Tiers { get; init; }

    /// <summary>Data of the API that created the queue; the engine does not read it.</summary>
    public string? Adapter { get; init; }

    /// <summary>Whether the queue has a concurrency or rate limit, which claims must respect.</summary>
    [JsonIgnore]
    public bool IsLimited => MaxRunning > 0 || Rate is not null;

    /// <summary><see cref="MaxCrashes"/>, or its default.</summary>
    [JsonIgnore]
    public int CrashLimit => MaxCrashes ?? DefaultMaxCrashes;

    /// <summary>The defaults of a tier.</summary>
    public TierDefaults? At(int tier) => Tiers?.GetValueOrDefault(tier);

    internal string ToText() => JsonSerializer.Serialize(this, QueueSettingsJson.Default.QueueSettings);

    /// <summary>
    /// Missing members get their defaults, which the generated reader does not apply; queues created before settings existed have an empty
    /// text.
    /// </summary>
    internal static QueueSettings FromText(string text) =>
        JsonSerializer.Deserialize(text, QueueSettingsJson.Default.QueueSettings) is { } read
            ? read with { Description = read.Description ?? "", DeadLetters = read.DeadLetters ?? Default.DeadLetters }
            : Default;
}

/// <summary>A token bucket: initially full, regains a token every interval / tokens, and loses one for each claimed task.</summary>
/// <param name="MaxTokens">Capacity in tokens, from 1.</param>
/// <param name="IntervalMs">Milliseconds in which an empty bucket fills, from 1.</param>
public sealed record RateLimit(int MaxTokens, long IntervalMs)
{
    /// <summary>Nanoseconds until a token returns, rounded up so that the rate is never exceeded.</summary>
    [JsonIgnore]
    public long PeriodNs => Math.Max(1, ((IntervalMs * 1_000_000) + MaxTokens - 1) / MaxTokens);
}

/// <summary>Treatment of tasks that failed permanently.</summary>
/// <param name="Enabled">Whether they become dead letters, which can be listed and redriven.</param>
/// <param name="MaxSize">Maximum dead letters; beyond it the oldest is deleted; 0 is unlimited.</param>
/// <param name="RetentionMs">Retention of a dead letter in milliseconds; null is that of other finished tasks.</param>
public sealed record DeadLetterSettings(bool Enabled = true, int MaxSize = 0, long? RetentionMs = null);

/// <summary>Which events of a queue's tasks are written.</summary>
public enum EventPolicy
{
    /// <summary>Every event.</summary>
    All = 0,

    /// <summary>Terminal events only. A worker that waits at another process than the submitter's may get a task seconds late.</summary>
    Terminal = 1,

    /// <summary>No events; otherwise like Terminal.</summary>
    None = 2,
}

/// <summary>Defaults of one tier of a queue; null applies the queue's setting.</summary>
public sealed record TierDefaults
{
    /// <summary>See <see cref="QueueSettings.LeaseMs"/>.</summary>
    public int? LeaseMs { get; init; }

    /// <summary>See <see cref="QueueSettings.ExpireAfterMs"/>.</summary>
    public long? ExpireAfterMs { get; init; }

    /// <summary>See <see cref="QueueSettings.Retry"/>.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>See <see cref="QueueSettings.MaxAttempts"/>.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Priority of tasks that do not set one.</summary>
    public Priority? Priority { get; init; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(QueueSettings))]
internal sealed partial class QueueSettingsJson : JsonSerializerContext;
