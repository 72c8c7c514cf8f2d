namespace TaskQueue.Tests.Unit;

/// <summary>
/// An independent implementation of five-field cron texts, for comparison: it judges one minute at a time and searches for nothing.
/// </summary>
internal sealed class CronMatcher
{
    private const string Months = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
    private const string Weekdays = "SUNMONTUEWEDTHUFRISAT";

    private readonly string[] fields;
    private readonly bool[] minutes;
    private readonly bool[] hours;
    private readonly Dictionary<DateOnly, bool> days = [];

    public CronMatcher(string cron)
    {
        fields = cron.ToUpperInvariant().Split(' ');
        minutes = [.. Enumerable.Range(0, 60).Select(minute => Has(fields[0], minute, 0, 59))];
        hours = [.. Enumerable.Range(0, 24).Select(hour => Has(fields[1], hour, 0, 23))];
    }

    /// <summary>Whether every hour is named.</summary>
    public bool AllHours => hours.All(hour => hour);

    public bool Matches(DateTime minute)
    {
        if (!minutes[minute.Minute] || !hours[minute.Hour])
            return false;
        var date = DateOnly.FromDateTime(minute);
        if (!days.TryGetValue(date, out var match))
            days[date] = match = MatchesDate(date);
        return match;
    }

    private bool MatchesDate(DateOnly date)
    {
        if (!Has(fields[3], date.Month, 1, 12))
            return false;
        var day = fields[2].Split(',').Any(part => DayMatches(part, date));
        var weekday = fields[4].Split(',').Any(part => WeekdayMatches(part, date));
        var both = fields[2][0] is '*' or '?' || fields[4] is "*" or "?" || fields[4].StartsWith("*/", StringComparison.Ordinal);
        return both ? day && weekday : day || weekday;
    }

    private static bool DayMatches(string part, DateOnly date)
    {
        var last = DateTime.DaysInMonth(date.Year, date.Month);
        if (part == "L")
            return date.Day == last;
        if (part[^1] != 'W')
            return Has(part, date.Day, 1, 31);
        var wanted = int.Parse(part[..^1]);
        var nearest = Enumerable.Range(1, last)
            .Where(day => new DateOnly(date.Year, date.Month, day).DayOfWeek is not (DayOfWeek.Saturday or DayOfWeek.Sunday))
            .MinBy(day => Math.Abs(day - wanted));
        return date.Day == nearest;
    }

    private static bool WeekdayMatches(string part, DateOnly date)
    {
        var weekday = (int)date.DayOfWeek;
        var last = DateTime.DaysInMonth(date.Year, date.Month);
        if (part[^1] == 'L')
            return Number(part[..^1]) % 7 == weekday && date.Day > last - 7;
        if (part.Split('#') is [var name, var nth])
            return Number(name) % 7 == weekday && (date.Day + 6) / 7 == int.Parse(nth);
        // Only a value or the end of a range can be 7; a step that is open ends on Saturday.
        var open = part[0] == '*' || (part.Contains('/', StringComparison.Ordinal) && !part.Contains('-', StringComparison.Ordinal));
        return Has(part, weekday, 0, 6) || (weekday == 0 && !open && Has(part, 7, 0, 7));
    }

    private static bool Has(string field, int value, int min, int max)
    {
        foreach (var part in field.Split(','))
        {
            var (range, step) = part.Split('/') is [var r, var s] ? (r, int.Parse(s)) : (part, 0);
            var ends = range.Split('-');
            var start = range is "*" or "?" ? min : Number(ends[0]);
            var end = ends.Length == 2 ? Number(ends[1]) : range is "*" or "?" || step > 0 ? max : start;
            if (value >= start && value <= end && (value - start) % Math.Max(step, 1) == 0)
                return true;
        }
        return false;
    }

    private static int Number(string text)
    {
        if (int.TryParse(text, out var number))
            return number;
        var month = Months.IndexOf(text, StringComparison.Ordinal);
        return month >= 0 ? month / 3 + 1 : Weekdays.IndexOf(text, StringComparison.Ordinal) / 3;
    }
}
