using System.Globalization;

namespace TaskQueue.Engine;

/// <summary>Parses the headers by which a server says when to try again.</summary>
public static class RetryAfter
{
    /// <summary>Longer waits are capped to this.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <summary>The requested wait; null if it is absent or invalid.</summary>
    /// <param name="header">Retry-After: seconds, also with a fraction, or a date of RFC 1123.</param>
    /// <param name="now">Current time, for dates.</param>
    /// <param name="milliseconds">retry-after-ms, which some servers send in addition; it is more precise.</param>
    public static TimeSpan? Of(string? header, DateTimeOffset now, string? milliseconds = null)
    {
        if (Number(milliseconds) is { } exact)
            return Bounded(exact / 1000);
        if (Number(header) is { } seconds)
            return Bounded(seconds);
        return DateTimeOffset.TryParseExact(header, "r", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)
            ? Bounded((date - now).TotalSeconds)
            : null;
    }

    private static double? Number(string? text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? number : null;

    private static TimeSpan Bounded(double seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds, 0, Longest.TotalSeconds));
}
