namespace TaskQueue.Engine.Quotas;

/// <summary>What a lease of request tokens was answered with.</summary>
/// <param name="Tokens">Tokens that may be spent.</param>
/// <param name="RetryAfter">When there is another one; zero where all that were asked for were granted.</param>
internal sealed record TokenGrant(long Tokens, TimeSpan RetryAfter);

/// <summary>
/// A token bucket as one number, which is how processes share it: the time up to which tokens are spent. It holds what one second
/// brings.
/// </summary>
internal static class TokenBucket
{
    private const long Second = 1_000_000_000;

    /// <summary>Nanoseconds since 1970.</summary>
    public static long Nanoseconds(DateTime utc) => (utc.Ticks - DateTime.UnixEpoch.Ticks) * TimeSpan.NanosecondsPerTick;

    /// <summary>Takes up to so many tokens.</summary>
    /// <param name="spent">The time up to which tokens are spent, in nanoseconds.</param>
    /// <param name="now">The time in nanoseconds.</param>
    /// <param name="limit">Tokens a second.</param>
    /// <param name="wanted">Tokens to take, at most.</param>
    /// <returns>What was taken, and the new time up to which tokens are spent.</returns>
    public static (TokenGrant Grant, long Spent) Take(long spent, long now, long limit, long wanted)
    {
        var cost = Second / limit;
        // A clock that was set back must not lock the tenant out.
        var from = Math.Clamp(spent, now, now + Second);
        var tokens = Math.Min(Math.Min(wanted, limit), (now + Second - from) / cost);
        var upTo = from + (tokens * cost);
        var wait = tokens < wanted ? TimeSpan.FromTicks(Math.Max(1, (upTo + cost - now - Second) / TimeSpan.NanosecondsPerTick))
            : TimeSpan.Zero;
        return (new(tokens, wait), upTo);
    }

    /// <summary>Tokens that were taken and are not yet back.</summary>
    public static long Used(long spent, long now, long limit)
    {
        var cost = Second / limit;
        return Math.Min(limit, (Math.Clamp(spent, now, now + Second) - now + cost - 1) / cost);
    }
}
