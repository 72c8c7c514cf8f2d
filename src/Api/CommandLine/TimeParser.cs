using System.Globalization;

namespace TaskQueue.Api.CommandLine;

/// <summary>Parses durations such as <c>90</c>, <c>90s</c>, <c>1.5m</c>, <c>2h</c> and <c>7d</c>, and points in time.</summary>
internal static class TimeParser
{
    public const string DurationRule = "a number of seconds, or such as 90s, 15m, 2h or 7d";

    /// <summary>Anything else, such as 12:00 or 03/04/2030, would have to be guessed.</summary>
    private static readonly string[] Formats =
    [
        "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd' 'HH:mmK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd' 'HH:mm:ss.FFFFFFFK",
    ];

    /// <summary>Returns null if the text is not a duration.</summary>
    public static TimeSpan? Duration(string text)
    {
        var seconds = text.Length == 0 ? 0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => 0 };
        var number = seconds == 0 ? text : text[..^1];
        return double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            && value * Math.Max(1, seconds) is >= 0 and <= 1e10 // "-Infinity" is a number too
            ? TimeSpan.FromSeconds(value * Math.Max(1, seconds))
            : null;
    }

    /// <summary>A point in time, or a duration ago, as the server reads it; null stays null.</summary>
    /// <exception cref="CommandException">The text is neither.</exception>
    public static string? Ago(string? text, string option)
    {
        if (text is null)
            return null;
        var now = TimeProvider.System.GetUtcNow();
        var time = Duration(text) is { } ago ? now - ago : Time(text, option, now);
        return time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
    }

    /// <summary>Parses a point in time, or a duration from now. A time without a zone is UTC.</summary>
    /// <exception cref="CommandException">The text is neither.</exception>
    public static DateTimeOffset Time(string text, string option, DateTimeOffset now)
    {
        if (Duration(text) is { } span)
            return now + span;
        return DateTimeOffset.TryParseExact(text, Formats, CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : throw CommandException.Usage($"{option} must be a time such as 2030-01-31T12:00:00Z, or {DurationRule}, from now");
    }
}
