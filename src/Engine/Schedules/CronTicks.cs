using Cronos;

namespace TaskQueue.Engine.Schedules;

/// <summary>The ticks of a cron expression on a clock without time zone, computed by Cronos.</summary>
/// <remarks>
/// Cronos receives lists of numbers, and one expression for each calendar-dependent day (<c>L</c>, <c>1#2</c>), which its lists do not
/// support. It has no years, and no "either" if both day fields are restricted.
/// </remarks>
internal sealed class CronTicks
{
    /// <summary>The years in which there can be a tick.</summary>
    public const int FirstYear = 1970, LastYear = 2099;

    /// <summary>A tick must match every group; within a group, one expression is sufficient.</summary>
    private readonly CronExpression[][] groups;
    private readonly SortedSet<int> years;

    public CronTicks(CronFields fields)
    {
        var time = $"{List(fields.Second)} {List(fields.Minute)} {List(fields.Hour)}";
        var days = Dates(fields).Select(date => Expression($"{time} {date} *")).ToArray();
        var weekdays = Entries(fields.Weekday).Select(weekday => Expression($"{time} * {List(fields.Month)} {weekday}")).ToArray();
        groups = fields.NeedsBothDays ? [days, weekdays] : [[.. days, .. weekdays]];
        years = fields.Year.Values;
    }

    /// <summary>The first tick strictly after a time; null if there is none up to <see cref="LastYear"/>.</summary>
    public DateTime? Next(DateTime after)
    {
        while (true)
        {
            var from = DateTime.SpecifyKind(after, DateTimeKind.Utc);
            var ticks = Array.ConvertAll(groups, group => group.Min(expression => expression.GetNextOccurrence(from)));
            if (ticks.Max() is not { Year: <= LastYear } last || ticks.Contains(null))
                return null;
            // No tick before the latest can be in all groups. Every round advances, so the last year ends the search.
            if (ticks.Min() != last)
                after = last.AddTicks(-1);
            else if (years.Contains(last.Year))
                return DateTime.SpecifyKind(last, DateTimeKind.Unspecified);
            else if (years.GetViewBetween(last.Year, LastYear) is { Count: > 0 } later)
                after = new DateTime(later.Min, 1, 1).AddTicks(-1);
            else
                return null;
        }
    }

    /// <summary>Day and month of every entry of the day field.</summary>
    private static IEnumerable<string> Dates(CronFields fields)
    {
        foreach (var day in Entries(fields.Day))
        {
            // Cronos finds no weekday near a day that the month lacks; the nearest is the last one.
            var wanted = day[^1] == 'W' ? CronFieldRule.Number(day[..^1]) : 1;
            var months = fields.Month.Values.ToLookup(month => DateTime.DaysInMonth(2001, month) >= wanted);
            if (months[true].Any())
                yield return $"{day} {string.Join(',', months[true])}";
            if (months[false].Any())
                yield return $"LW {string.Join(',', months[false])}";
        }
    }

    private static IEnumerable<string> Entries(CronField field) =>
        field.Values.Count > 0 ? field.Moving.Prepend(List(field)) : field.Moving;

    private static string List(CronField field) => field.HasAll ? "*" : string.Join(',', field.Values);

    private static CronExpression Expression(string text) => CronExpression.Parse(text, CronFormat.IncludeSeconds);
}
