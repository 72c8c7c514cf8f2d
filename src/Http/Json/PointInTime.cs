using System.Globalization;
using System.Text.Json;
using TaskQueue.Engine;

namespace TaskQueue.Http.Json;

/// <summary>Parses points in time sent by callers.</summary>
internal static class PointInTime
{
    /// <summary>The rule for error messages.</summary>
    public const string Rule = "a time with a zone, such as 2030-01-31T12:00:00Z, or Unix seconds";

    private static readonly double MaxUnixSeconds = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    private static readonly string[] Formats =
        ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd' 'HH:mm:ss.FFFFFFFK"];

    /// <summary>Parses to UTC; null if invalid.</summary>
    public static DateTime? Parse(string text)
    {
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds))
            return OfUnix(seconds);
        // A time without a zone is ambiguous.
        return text.Length > 10 && (text[^1] is 'Z' || text[10..].AsSpan().IndexOfAny('+', '-') >= 0)
            && DateTimeOffset.TryParseExact(text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? time.UtcDateTime
            : null;
    }

    /// <summary>Parses to UTC; null if invalid.</summary>
    public static DateTime? Parse(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String when TextRules.Read(value) is { } text => Parse(text),
            JsonValueKind.Number when value.TryGetDouble(out var seconds) => OfUnix(seconds),
            _ => null,
        };

    private static DateTime? OfUnix(double seconds) =>
        seconds >= 0 && seconds <= MaxUnixSeconds ? DateTime.UnixEpoch.AddSeconds(seconds) : null;
}
