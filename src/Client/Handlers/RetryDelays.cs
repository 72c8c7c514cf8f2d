using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Delays of a retry policy, computed as the server does.</summary>
internal static class RetryDelays
{
    private const int MaxIntervals = 100;
    private const double MaxSeconds = 30 * 24 * 3600;

    /// <summary>Why a policy is invalid; null if it is valid.</summary>
    public static string? ProblemOf(RetryPolicy policy)
    {
        if (policy.Intervals is { } intervals)
        {
            return intervals.Count > MaxIntervals || intervals.Any(i => !(i is >= 0 and <= MaxSeconds))
                ? $"Intervals must be at most {MaxIntervals}, each 0 to {MaxSeconds} seconds" : null;
        }

        return policy.FirstSeconds is >= 0 and <= MaxSeconds && policy.CapSeconds is >= 0 and <= MaxSeconds
            ? policy.Factor is >= 1 and <= 100
                ? policy.Jitter is >= 0 and <= 1 ? null : "Jitter must be 0 to 1"
                : "Factor must be 1 to 100"
            : $"FirstSeconds and CapSeconds must be 0 to {MaxSeconds}";
    }

    /// <summary>The delay after a failed attempt.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="attempt">Number of the attempt, from 1.</param>
    public static TimeSpan After(RetryPolicy policy, int attempt)
    {
        if (policy.Intervals is { } intervals)
            return intervals.Count == 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(intervals[Math.Min(attempt, intervals.Count) - 1]);
        if (policy.FirstSeconds == 0)
            return TimeSpan.Zero; // times an infinite power, it would be no number
        var seconds = Math.Min(policy.FirstSeconds * Math.Pow(policy.Factor, attempt - 1), policy.CapSeconds);
        seconds *= 1 + (policy.Jitter * ((2 * Random.Shared.NextDouble()) - 1));
        return TimeSpan.FromSeconds(Math.Min(seconds, policy.CapSeconds));
    }
}
