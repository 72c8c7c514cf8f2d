using System.Globalization;

namespace TaskQueue.Engine;

/// <summary>Parses the Retry-After header.</summary>
public static class RetryAfter
{
    /// <summary>Longer waits are capped to this.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <summary>The wait requested by a Retry-After header, in seconds or as a date of RFC 1123; null if it is absent or invalid.</summary>
    public static TimeSpan? Of(string? header, DateTimeOffset now)
    {
        TimeSpan wait;
        if (int.TryParse(header, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            wait = TimeSpan.FromSeconds(seconds);
        else if (DateTimeOffset.TryParseExact(header, "r", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
            wait = date - now;
        else
            return null;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait > Longest ? Longest : wait;
    }
}
