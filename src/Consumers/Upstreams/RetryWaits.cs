namespace TaskQueue.Consumers.Upstreams;

/// <summary>Backoff between retries of a request.</summary>
internal static class RetryWaits
{
    private const double LongestBackoff = 60; // seconds

    /// <summary>1, 2, 4 … 60 seconds, with ±25 % jitter so that requests that failed together are not retried together.</summary>
    /// <param name="retries">Retries before this one.</param>
    /// <param name="chance">0 to 1.</param>
    public static TimeSpan Backoff(int retries, double chance) =>
        TimeSpan.FromSeconds(Math.Min(LongestBackoff, Math.Pow(2, retries)) * (0.75 + (0.5 * chance)));
}
