using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Settings of a queue; what is null has the server's default, unless it says otherwise.</summary>
public sealed record QueueDeclaration
{
    /// <summary>
    /// True: tasks are dispatched to workers on RabbitMQ; false: workers claim them over HTTP. Cannot be changed. Null: as it is, at first
    /// false.
    /// </summary>
    public bool? Push { get; init; }

    /// <summary>Free text; at most 1,024 characters.</summary>
    public string? Description { get; init; }

    /// <summary>Lease of its tasks unless set by claim or task.</summary>
    public TimeSpan? Lease { get; init; }

    /// <summary>Default and upper limit of a task's expiry, from its scheduled time.</summary>
    public TimeSpan? ExpireAfter { get; init; }

    /// <summary>Attempts per run: 1 to 100.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Retry policy of failed attempts.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Lost workers after which a task fails as quarantined; 0 is never.</summary>
    public int? MaxCrashes { get; init; }

    /// <summary>Tasks that run at a time; null or 0: any number.</summary>
    public int? MaxRunning { get; init; }

    /// <summary>Tasks handed out per <see cref="RateInterval"/>, and the largest burst; null: any number.</summary>
    public int? Rate { get; init; }

    /// <summary>Interval of <see cref="Rate"/>; default 1 s.</summary>
    public TimeSpan RateInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Whether no tasks are handed out. Null: as it is, at first false.</summary>
    public bool? Paused { get; init; }

    /// <summary>Whether tasks that failed for good are kept as dead letters; default true.</summary>
    public bool DeadLetters { get; init; } = true;

    /// <summary>Number of dead letters above which the oldest is deleted; null: any number.</summary>
    public int? MaxDeadLetters { get; init; }

    /// <summary>How long a dead letter is kept; null: as other finished tasks.</summary>
    public TimeSpan? DeadLetterRetention { get; init; }

    /// <summary>How long finished tasks stay readable.</summary>
    public TimeSpan? KeepFinished { get; init; }

    /// <summary>Which events are written and published: <c>all</c> (the default), <c>terminal</c> or <c>none</c>.</summary>
    public string? Events { get; init; }

    /// <summary>Settings of single tiers, by their number.</summary>
    public IReadOnlyDictionary<int, TierSettings> Tiers { get; init; } = new Dictionary<int, TierSettings>();

    /// <summary>Whether workers of the bella API get a token with each task, to act for its submitter.</summary>
    public bool SubmitterToken { get; init; }

    /// <summary>Refuses the declaration if the queue has another <see cref="QueueInfo.Version"/>; null: any.</summary>
    public int? ExpectedVersion { get; init; }
}
