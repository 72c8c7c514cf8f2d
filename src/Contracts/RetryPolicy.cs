namespace TaskQueue.Contracts;

/// <summary>How long a failed attempt waits before the next one: a list of intervals, or exponential growth.</summary>
public sealed record RetryPolicy
{
    /// <summary>Seconds to wait after the first, second, … failure of a run; the last one repeats. Null means exponential.</summary>
    public IReadOnlyList<double>? Intervals { get; init; }

    /// <summary>Exponential: seconds after the first failure.</summary>
    public double FirstSeconds { get; init; } = 2;

    /// <summary>Exponential: each wait is the one before times this.</summary>
    public double Factor { get; init; } = 2;

    /// <summary>Exponential: no wait is longer, in seconds.</summary>
    public double CapSeconds { get; init; } = 3600;

    /// <summary>Exponential: a wait varies by up to this share of it, up or down; 0 to 1.</summary>
    public double Jitter { get; init; }
}

/// <summary>What a submission changes on the waiting task that holds its dedupe key already.</summary>
[Flags]
public enum OverwriteFields
{
    /// <summary>Nothing: the duplicate is skipped.</summary>
    None = 0,

    /// <summary>The payload.</summary>
    Payload = 1,

    /// <summary>The scheduled time.</summary>
    ScheduledAt = 2,

    /// <summary>The expiry.</summary>
    ExpiresAt = 4,
}
