using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;

namespace TaskQueue.Engine.Queues;

/// <summary>What an operator decides about a queue. Immutable; a change replaces all of it.</summary>
public sealed record QueueSettings
{
    /// <summary>The settings of a queue that nobody gave any, declared or not.</summary>
    public static readonly QueueSettings Default = new();

    /// <summary>For people; at most 1,024 characters.</summary>
    public string Description { get; init; } = "";

    /// <summary>Lease of its tasks where neither claim nor task says it; null is 15 s. Frozen into a task when it is accepted.</summary>
    public int? LeaseMs { get; init; }

    /// <summary>Default and ceiling of a task's expiry, counted from its scheduled time (moab.md 6); null is never.</summary>
    public long? ExpireAfterMs { get; init; }

    /// <summary>How failed attempts are tried again; null is 2, 4, 8 … seconds.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Attempts of a run where the task does not say; null is as many as the intervals allow, else 4.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>At most so many of its tasks run at once; 0 is unlimited. Pull queues only.</summary>
    public int MaxRunning { get; init; }

    /// <summary>At most so many are claimed in a time; null is unlimited. Pull queues only.</summary>
    public RateLimit? Rate { get; init; }

    /// <summary>Whether bella's workers get a short-lived token with each task, to act for its submitter with.</summary>
    public bool SubmitterToken { get; init; }

    /// <summary>Nothing is handed out. Tasks are accepted, running ones go on.</summary>
    public bool Paused { get; init; }

    /// <summary>What becomes of tasks that failed for good.</summary>
    public DeadLetterSettings DeadLetters { get; init; } = new();

    /// <summary>How long finished tasks stay readable; null is the server's retention.</summary>
    public long? KeepFinishedMs { get; init; }

    /// <summary>Which events of its tasks are written to the timeline and published.</summary>
    public EventPolicy Events { get; init; }

    /// <summary>What is different at single tiers.</summary>
    public IReadOnlyDictionary<int, TierDefaults>? Tiers { get; init; }

    /// <summary>What the API that made the queue must remember of its own; the engine does not read it.</summary>
    public string? Adapter { get; init; }

    /// <summary>Whether the queue has a concurrency or rate limit, which claims must respect.</summary>
    [JsonIgnore]
    public bool IsLimited => MaxRunning > 0 || Rate is not null;

    /// <summary>The defaults of a tier.</summary>
    public TierDefaults? At(int tier) => Tiers?.GetValueOrDefault(tier);

    internal string ToText() => JsonSerializer.Serialize(this, QueueSettingsJson.Default.QueueSettings);

    /// <summary>
    /// What a text does not say has its default, which the generated reader forgets: a queue of before there were settings
    /// has an empty text.
    /// </summary>
    internal static QueueSettings FromText(string text) =>
        JsonSerializer.Deserialize(text, QueueSettingsJson.Default.QueueSettings) is { } read
            ? read with { Description = read.Description ?? "", DeadLetters = read.DeadLetters ?? Default.DeadLetters }
            : Default;
}

/// <summary>A token bucket: full at first, a token returns every interval / tokens, each claimed task takes one.</summary>
/// <param name="MaxTokens">Tokens of a full bucket, from 1.</param>
/// <param name="IntervalMs">Time in which an empty bucket fills, from 1.</param>
public sealed record RateLimit(int MaxTokens, long IntervalMs)
{
    /// <summary>Nanoseconds until a token returns: rounded up, so that the rate is never exceeded.</summary>
    [JsonIgnore]
    public long PeriodNs => Math.Max(1, ((IntervalMs * 1_000_000) + MaxTokens - 1) / MaxTokens);
}

/// <summary>What becomes of tasks that failed for good.</summary>
/// <param name="Enabled">Whether they are dead letters, which can be listed and restarted.</param>
/// <param name="MaxSize">Beyond it the oldest is deleted; 0 is unlimited.</param>
/// <param name="RetentionMs">Deleted so long after its death; null is as other finished tasks.</param>
public sealed record DeadLetterSettings(bool Enabled = true, int MaxSize = 0, long? RetentionMs = null);

/// <summary>Which events of a queue's tasks are written.</summary>
public enum EventPolicy
{
    /// <summary>Every step.</summary>
    All = 0,

    /// <summary>The ends only. A worker that waits at another process than the task's may hear of it seconds late.</summary>
    Terminal = 1,

    /// <summary>None, as with Terminal.</summary>
    None = 2,
}

/// <summary>What is different at one tier of a queue; null is as the queue says.</summary>
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

    /// <summary>Priority of tasks that do not say theirs.</summary>
    public Priority? Priority { get; init; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(QueueSettings))]
internal sealed partial class QueueSettingsJson : JsonSerializerContext;
