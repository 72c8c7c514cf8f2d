namespace TaskQueue.Consumers.Upstreams;

/// <summary>How long to wait before a request is repeated.</summary>
internal static class RetryWaits
{
    /// <summary>A longer wait that an upstream asks for is cut to this.</summary>
    public static readonly TimeSpan LongestAsked = TimeSpan.FromMinutes(10);

    private const double LongestBackoff = 60; // seconds

    /// <summary>What the header Retry-After asks for, in seconds or as a date; null where it is absent or makes no sense.</summary>
    public static TimeSpan? Asked(HttpResponseMessage response, DateTimeOffset now)
    {
        var header = response.Headers.RetryAfter;
        if ((header?.Delta ?? header?.Date - now) is not { } wait)
            return null;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestAsked ? LongestAsked : wait;
    }

    /// <summary>1, 2, 4 … 60 seconds, each a quarter shorter or longer, so that requests that failed together do not come back together.</summary>
    /// <param name="retries">Retries before this one.</param>
    /// <param name="chance">0 to 1.</param>
    public static TimeSpan Backoff(int retries, double chance) =>
        TimeSpan.FromSeconds(Math.Min(LongestBackoff, Math.Pow(2, retries)) * (0.75 + (0.5 * chance)));
}
