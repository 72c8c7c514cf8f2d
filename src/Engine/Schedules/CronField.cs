namespace TaskQueue.Engine.Schedules;

/// <summary>One field of a cron expression (moab.md 8): its values, and the days that depend on the calendar.</summary>
internal sealed class CronField
{
    private readonly CronFieldRule rule;

    private CronField(CronFieldRule rule, string text)
    {
        this.rule = rule;
        Text = text;
    }

    /// <summary>The field as written, in upper case.</summary>
    public string Text { get; }

    /// <summary>The values; Sunday is always 0.</summary>
    public SortedSet<int> Values { get; } = [];

    /// <summary>Days that differ from month to month (<c>L</c>, <c>15W</c>, <c>5L</c>, <c>1#2</c>), in Cronos syntax.</summary>
    public SortedSet<string> Moving { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether the field is unrestricted. A list that happens to name every value still counts as a restriction.</summary>
    public bool IsAny => Text is "*" or "?";

    /// <summary>Whether every value is named.</summary>
    public bool HasAll => Values.Count == rule.Count;

    /// <exception cref="InvalidScheduleException">The text is invalid for the field.</exception>
    public static CronField Parse(string text, CronFieldRule rule)
    {
        var field = new CronField(rule, text.ToUpperInvariant());
        foreach (var part in field.Text.Split(','))
        {
            if (part is "*" or "?")
                field.Add(rule.Min, rule.OpenEnd, 1);
            else if (part.Length == 0)
                throw field.Invalid(part, "an entry of the list is missing; remove the extra comma");
            else if (!field.AddMovingDay(part))
                field.AddRange(part);
        }
        return field;
    }

    private bool AddMovingDay(string part) =>
        rule == CronFieldRule.Day ? AddMovingDate(part) : rule == CronFieldRule.Weekday && AddMovingWeekday(part);

    private bool AddMovingDate(string part)
    {
        if (part.Contains('L', StringComparison.Ordinal))
        {
            Moving.Add(part == "L" ? part : throw Invalid(part, "L, the last day of the month, stands alone"));
            return true;
        }
        if (!part.Contains('W', StringComparison.Ordinal))
            return false;
        Moving.Add(part[^1] == 'W' && rule.Value(part[..^1]) is { } day
            ? $"{day}W"
            : throw Invalid(part, "W follows one day of the month, such as 15W"));
        return true;
    }

    private bool AddMovingWeekday(string part)
    {
        var hash = part.Split('#');
        if (hash.Length == 1 && part[^1] != 'L')
            return false;
        var last = hash.Length == 1;
        if (rule.Value(last ? part[..^1] : hash[0]) is not { } weekday)
            throw Invalid(part, "L and # follow one weekday, such as 5L or 1#2");
        if (!last && (hash.Length != 2 || CronFieldRule.Number(hash[1]) is not (>= 1 and <= 5)))
            throw Invalid(part, "a number from 1 to 5 follows #, such as 1#2 for the second Monday");
        Moving.Add(weekday % 7 + (last ? "L" : $"#{CronFieldRule.Number(hash[1])}"));
        return true;
    }

    private void AddRange(string part)
    {
        var halves = part.Split('/');
        if (halves.Length > 2)
            throw Invalid(part, "it has more than one '/'");
        var step = 1;
        if (halves.Length == 2 && (step = CronFieldRule.Number(halves[1]) ?? 0) < 1)
            throw Invalid(part, "a whole number of at least 1 follows '/', such as */5");

        var ends = halves[0].Split('-');
        if (halves[0] == "*")
            Add(rule.Min, rule.OpenEnd, step);
        else if (ends.Length == 1 && halves.Length == 1)
            Add(Value(part, ends[0]), Value(part, ends[0]), 1);
        else if (ends.Length == 1)
            AddOpenRange(part, Value(part, ends[0]), step);
        else if (ends.Length == 2)
            AddClosedRange(part, Value(part, ends[0]), Value(part, ends[1]), step);
        else
            throw Invalid(part, "it has more than one '-'");
    }

    private void AddOpenRange(string part, int start, int step)
    {
        if (start > rule.OpenEnd)
            throw Invalid(part, $"nothing comes after {start}; start a step on Sunday with 0");
        Add(start, rule.OpenEnd, step);
    }

    private void AddClosedRange(string part, int start, int end, int step)
    {
        // 7-2 starts on Sunday like 0-2.
        if (rule == CronFieldRule.Weekday && start == 7 && end < 7)
            start = 0;
        if (end < start)
            throw Invalid(part, "the range runs backwards; write the smaller value first, or two ranges with a comma" + SundayHint);
        Add(start, end, step);
    }

    private string SundayHint => rule == CronFieldRule.Weekday ? " (a range that ends on Sunday ends with 7)" : "";

    private void Add(int start, int end, int step)
    {
        // A long, because a step may be as large as an int.
        for (long value = start; value <= end; value += step)
        {
            if (value >= rule.KeepFrom && value <= rule.KeepTo)
                Values.Add(rule == CronFieldRule.Weekday ? (int)value % 7 : (int)value);
        }
    }

    private int Value(string part, string text) => rule.Value(text)
        ?? throw Invalid(part,
            $"use {(rule.Names.Count > 0 ? $"names ({rule.Names[0]} to {rule.Names[^1]}) or " : "")}numbers from {rule.Min} to {rule.Max}");

    private InvalidScheduleException Invalid(string part, string advice) =>
        new($"cron: '{(part.Length > 40 ? part[..40] + "…" : part)}' is not valid in the field {rule.Name}: {advice}");
}
