using System.Globalization;

namespace TaskQueue.Engine;

/// <summary>How long the other side of a request wants to be left alone.</summary>
public static class RetryAfter
{
    /// <summary>A longer wait is cut to this.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <summary>
    /// What a header Retry-After asks for, in seconds or as a date of RFC 1123; null where it is absent or makes no sense.
    /// </summary>
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
