using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace TaskQueue.Contracts;

/// <summary>Delays between a failed attempt and the next: a list of intervals, or exponential growth.</summary>
public sealed record RetryPolicy
{
    /// <summary>Seconds to wait after the first, second, … failure of a run; the last one repeats. Null means exponential.</summary>
    public IReadOnlyList<double>? Intervals { get; init; }

    /// <summary>Exponential: seconds to wait after the first failure.</summary>
    public double FirstSeconds { get; init; } = 2;

    /// <summary>Exponential: factor between consecutive delays.</summary>
    public double Factor { get; init; } = 2;

    /// <summary>Exponential: maximum delay in seconds.</summary>
    public double CapSeconds { get; init; } = 3600;

    /// <summary>Exponential: random variation of a delay in both directions, as a fraction of it; 0 to 1.</summary>
    public double Jitter { get; init; }

    /// <summary>Members of a message that a policy does not have, such as misspelled ones: the server sets the task aside.</summary>
    [JsonExtensionData]
    public JsonObject? Unknown { get; set; }
}

/// <summary>What a submission overwrites on the waiting task that holds its dedupe key.</summary>
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
