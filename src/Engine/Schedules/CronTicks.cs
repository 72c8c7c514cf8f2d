using Quartz;

namespace TaskQueue.Engine.Schedules;

/// <summary>The ticks of a cron text on a clock without time zone, found by Quartz.</summary>
/// <remarks>
/// Quartz gets plain lists of numbers, and one expression for each day that moves (<c>L</c>, <c>1#2</c>): its own reading of
/// steps, ranges, names, <c>*</c> in a list and of two restricted day fields differs from the dialect's.
/// </remarks>
internal sealed class CronTicks
{
    /// <summary>The years in which there can be a tick.</summary>
    public const int FirstYear = 1970, LastYear = 2099;

    /// <summary>A tick must be one of every group; in a group, one expression is enough.</summary>
    private readonly List<CronExpression[]> groups = [];

    public CronTicks(CronFields fields)
    {
        if (fields.Year.Values.Count == 0)
            return;
        var time = $"{List(fields.Second)} {List(fields.Minute)} {List(fields.Hour)}";
        var month = List(fields.Month);
        var year = List(fields.Year);
        var days = Days(fields.Day, 0).Select(day => Expression($"{time} {day} {month} ? {year}")).ToArray();
        var weekdays = Days(fields.Weekday, CronField.QuartzWeekday(0)).Select(day => Expression($"{time} ? {month} {day} {year}")).ToArray();

        if (fields.Weekday.IsAny)
            groups.Add(days);
        else if (fields.Day.IsAny)
            groups.Add(weekdays);
        else if (fields.NeedsBothDays)
            groups.AddRange([days, weekdays]);
        else
            groups.Add([.. days, .. weekdays]);
    }

    /// <summary>The first tick strictly after a time; null where there is none up to <see cref="LastYear"/>.</summary>
    public DateTime? Next(DateTime after)
    {
        if (groups.Count == 0)
            return null;
        while (true)
        {
            var (first, last) = (DateTime.MaxValue, DateTime.MinValue);
            foreach (var group in groups)
            {
                if (Earliest(group, after) is not { } tick)
                    return null;
                (first, last) = (tick < first ? tick : first, tick > last ? tick : last);
            }
            if (first == last)
                return first;
            // No tick before the later one can be in both groups. Every round moves on, so the last year ends the search.
            after = last.AddTicks(-1);
        }
    }

    private static DateTime? Earliest(CronExpression[] group, DateTime after)
    {
        DateTime? earliest = null;
        foreach (var expression in group)
        {
            var tick = expression.GetNextValidTimeAfter(new DateTimeOffset(after, TimeSpan.Zero))?.DateTime;
            if (tick is { Year: <= LastYear } && !(tick >= earliest))
                earliest = tick;
        }
        return earliest;
    }

    private static string List(CronField field) => field.HasAll ? "*" : string.Join(',', field.Values);

    private static IEnumerable<string> Days(CronField field, int shift)
    {
        if (field.Values.Count > 0)
            yield return field.HasAll ? "*" : string.Join(',', field.Values.Select(value => value + shift));
        foreach (var day in field.Moving)
            yield return day;
    }

    private static CronExpression Expression(string text) => new(text, TimeZoneInfo.Utc);
}
