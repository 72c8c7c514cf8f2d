namespace TaskQueue.Engine.Quotas;

/// <summary>Result of leasing request tokens.</summary>
/// <param name="Tokens">Tokens granted.</param>
/// <param name="RetryAfter">When the next token is available; zero if all requested tokens were granted.</param>
internal sealed record TokenGrant(long Tokens, TimeSpan RetryAfter);

/// <summary>
/// A token bucket as a single number, so that processes can share it: the time up to which tokens are spent. Its capacity is one second's
/// worth of tokens.
/// </summary>
internal static class TokenBucket
{
    private const long Second = 1_000_000_000;

    /// <summary>Nanoseconds since 1970.</summary>
    public static long Nanoseconds(DateTime utc) => (utc.Ticks - DateTime.UnixEpoch.Ticks) * TimeSpan.NanosecondsPerTick;

    /// <summary>Takes up to <paramref name="wanted"/> tokens.</summary>
    /// <param name="spent">The time up to which tokens are spent, in nanoseconds.</param>
    /// <param name="now">The current time in nanoseconds.</param>
    /// <param name="limit">Tokens a second.</param>
    /// <param name="wanted">Maximum tokens to take.</param>
    /// <returns>The granted tokens, and the new time up to which tokens are spent.</returns>
    public static (TokenGrant Grant, long Spent) Take(long spent, long now, long limit, long wanted)
    {
        var cost = Second / limit;
        // A clock that was set back must not lock out the tenant.
        var from = Math.Clamp(spent, now, now + Second);
        var tokens = Math.Min(Math.Min(wanted, limit), (now + Second - from) / cost);
        var upTo = from + (tokens * cost);
        var wait = tokens < wanted ? TimeSpan.FromTicks(Math.Max(1, (upTo + cost - now - Second) / TimeSpan.NanosecondsPerTick))
            : TimeSpan.Zero;
        return (new(tokens, wait), upTo);
    }

    /// <summary>Number of tokens taken and not yet refilled.</summary>
    public static long Used(long spent, long now, long limit)
    {
        var cost = Second / limit;
        return Math.Min(limit, (Math.Clamp(spent, now, now + Second) - now + cost - 1) / cost);
    }
}
