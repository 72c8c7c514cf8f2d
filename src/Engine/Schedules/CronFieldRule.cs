using System.Globalization;

namespace TaskQueue.Engine.Schedules;

/// <summary>Valid values of one field of a cron expression.</summary>
/// <param name="Name">Name of the field, for error messages.</param>
/// <param name="Min">The smallest value.</param>
/// <param name="Max">The largest value.</param>
internal sealed record CronFieldRule(string Name, int Min, int Max)
{
    public static readonly CronFieldRule Second = new("second", 0, 59);
    public static readonly CronFieldRule Minute = new("minute", 0, 59);
    public static readonly CronFieldRule Hour = new("hour", 0, 23);
    public static readonly CronFieldRule Day = new("day", 1, 31);
    public static readonly CronFieldRule Month = new("month", 1, 12)
    {
        Names = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    };

    // 7 is Sunday again, so that a range can end with it.
    public static readonly CronFieldRule Weekday = new("weekday", 0, 7) { Names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        OpenEnd = 6 };
    public static readonly CronFieldRule Year = new("year", 0, 9999) { KeepFrom = CronTicks.FirstYear, KeepTo = CronTicks.LastYear };

    /// <summary>Names of the values, starting at <see cref="Min"/>.</summary>
    public List<string> Names { get; init; } = [];

    /// <summary>The value at which <c>*</c> and <c>n/m</c> end.</summary>
    public int OpenEnd { get; init; } = Max;

    /// <summary>Smaller values are allowed but never occur.</summary>
    public int KeepFrom { get; init; } = Min;

    /// <summary>Larger values are allowed but never occur.</summary>
    public int KeepTo { get; init; } = Max;

    /// <summary>Number of values of <c>*</c>.</summary>
    public int Count => Math.Min(OpenEnd, KeepTo) - KeepFrom + 1;

    /// <summary>The value of a number or a name; null if it is neither or out of range.</summary>
    public int? Value(string text)
    {
        var name = Names.IndexOf(text);
        if (name >= 0)
            return Min + name;
        return Number(text) is { } number && number >= Min && number <= Max ? number : null;
    }

    /// <summary>Digits only: no sign, no space.</summary>
    internal static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
