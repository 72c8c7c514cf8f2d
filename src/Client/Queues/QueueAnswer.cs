using System.Text.Json.Serialization;
using TaskQueue.Client.Http;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A queue as the server writes it, with its settings beside its other members.</summary>
internal sealed record QueueAnswer
{
    public required string Name { get; init; }

    public string Delivery { get; init; } = "";

    public int Version { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }

    public DateTimeOffset? UpdatedAt { get; init; }

    public string Description { get; init; } = "";

    [JsonPropertyName("lease_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public TimeSpan? Lease { get; init; }

    [JsonPropertyName("expire_after_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public TimeSpan? ExpireAfter { get; init; }

    public int? MaxAttempts { get; init; }

    [JsonConverter(typeof(RetryConverter))]
    public RetryPolicy? Retry { get; init; }

    public int? MaxCrashes { get; init; }

    public int MaxRunning { get; init; }

    public RateAnswer? Rate { get; init; }

    public bool Paused { get; init; }

    public DeadLettersAnswer? DeadLetters { get; init; }

    [JsonPropertyName("keep_finished_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public TimeSpan? KeepFinished { get; init; }

    public string? Events { get; init; }

    public IReadOnlyDictionary<int, TierSettings>? Tiers { get; init; }

    public bool SubmitterToken { get; init; }

    public QueueStats? Counts { get; init; }

    public QueueInfo ToInfo() => new(Name, Delivery, Version, Description, Paused, MaxRunning, Counts)
    {
        CreatedAt = CreatedAt,
        UpdatedAt = UpdatedAt,
        Settings = new QueueDeclaration
        {
            Push = Delivery.Length == 0 ? null : Delivery == "push",
            Description = Description.Length == 0 ? null : Description,
            Lease = Lease,
            ExpireAfter = ExpireAfter,
            MaxAttempts = MaxAttempts,
            Retry = Retry,
            MaxCrashes = MaxCrashes,
            MaxRunning = MaxRunning == 0 ? null : MaxRunning,
            Rate = Rate?.Tokens,
            RateInterval = TimeSpan.FromSeconds(Rate?.IntervalSeconds ?? 1),
            Paused = Paused,
            DeadLetters = DeadLetters?.Enabled ?? true,
            MaxDeadLetters = DeadLetters?.MaxSize is > 0 and var most ? most : null,
            DeadLetterRetention = DeadLetters?.Retention,
            KeepFinished = KeepFinished,
            Events = Events,
            Tiers = Tiers ?? new Dictionary<int, TierSettings>(),
            SubmitterToken = SubmitterToken,
            ExpectedVersion = Version == 0 ? null : Version,
        },
    };
}

internal sealed record RateAnswer(int? Tokens, double? IntervalSeconds);

internal sealed record DeadLettersAnswer(bool? Enabled, int? MaxSize)
{
    [JsonPropertyName("retention_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public TimeSpan? Retention { get; init; }
}
