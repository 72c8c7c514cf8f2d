using System.Globalization;
using System.Text.Json;
using TaskQueue.Engine;

namespace TaskQueue.Http.Json;

/// <summary>Parses points in time sent by callers.</summary>
internal static class PointInTime
{
    /// <summary>The rule for error messages.</summary>
    public const string Rule = "a time with a zone, such as 2030-01-31T12:00:00Z, or Unix seconds";

    private const int DateLength = 10, MaxDigits = 7;

    private static readonly double MaxUnixSeconds = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    private static readonly string[] Formats =
        ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd' 'HH:mm:ss.FFFFFFFK"];

    /// <summary>Parses the text of a query to UTC, where numbers are texts too; null if invalid.</summary>
    public static DateTime? Parse(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) ? OfUnix(seconds)
            : ParseIso(text);

    /// <summary>Parses a time with a zone to UTC; null if it is anything else, which would have to be guessed.</summary>
    public static DateTime? ParseIso(string text) =>
        text.Length > DateLength && (text[^1] is 'Z' || text.AsSpan(DateLength).IndexOfAny('+', '-') >= 0)
            && DateTimeOffset.TryParseExact(Cut(text), Formats, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? time.UtcDateTime
            : null;

    /// <summary>Other languages write nanoseconds, of which .NET reads seven digits.</summary>
    private static string Cut(string text)
    {
        var digits = text.IndexOf('.', StringComparison.Ordinal) + 1;
        var end = digits;
        while (digits > 0 && end < text.Length && char.IsAsciiDigit(text[end]))
            end++;
        return end - digits > MaxDigits ? text.Remove(digits + MaxDigits, end - digits - MaxDigits) : text;
    }

    /// <summary>Parses to UTC; null if invalid.</summary>
    public static DateTime? Parse(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String when TextRules.Read(value) is { } text => ParseIso(text),
            JsonValueKind.Number when value.TryGetDouble(out var seconds) => OfUnix(seconds),
            _ => null,
        };

    private static DateTime? OfUnix(double seconds) =>
        seconds >= 0 && seconds <= MaxUnixSeconds ? DateTime.UnixEpoch.AddSeconds(seconds) : null;
}
