namespace TaskQueue.Engine.Schedules;

/// <summary>A cron expression split into its fields (moab.md 8).</summary>
internal sealed record CronFields(
    CronField Second, CronField Minute, CronField Hour, CronField Day, CronField Month, CronField Weekday, CronField Year)
{
    // Fits lists of every second, minute, hour, day and so on; more would only repeat.
    private const int MaxLength = 2_000;

    private static readonly Dictionary<string, string> Tags = new(StringComparer.OrdinalIgnoreCase)
    {
        ["@yearly"] = "0 0 1 1 *",
        ["@annually"] = "0 0 1 1 *",
        ["@monthly"] = "0 0 1 * *",
        ["@weekly"] = "0 0 * * 0",
        ["@daily"] = "0 0 * * *",
        ["@hourly"] = "0 * * * *",
        ["@5minutes"] = "*/5 * * * *",
        ["@10minutes"] = "*/10 * * * *",
        ["@15minutes"] = "*/15 * * * *",
        ["@30minutes"] = "*/30 * * * *",
        ["@always"] = "* * * * *",
        ["@everysecond"] = "* * * * * *",
    };

    /// <summary>Whether a time must satisfy both day and weekday. Otherwise both are restricted, and either is sufficient.</summary>
    public bool NeedsBothDays =>
        Weekday.IsAny || Day.Text.StartsWith('*') || Day.Text == "?" || Weekday.Text.StartsWith("*/", StringComparison.Ordinal);

    /// <exception cref="InvalidScheduleException">The text is not a valid expression.</exception>
    public static CronFields Parse(string cron)
    {
        if (string.IsNullOrWhiteSpace(cron))
            throw new InvalidScheduleException("cron is empty: write five to seven fields, such as '*/5 * * * *', or a tag such as @daily");
        if (cron.Length > MaxLength)
            throw new InvalidScheduleException($"cron has {cron.Length} characters: use at most {MaxLength}");
        var texts = WithoutTag(cron.Trim()).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (texts.Length is < 5 or > 7)
            throw new InvalidScheduleException($"cron has {texts.Length} fields: write 5 (minute hour day month weekday), 6 (second "
                + "first, or year last) or 7 (both)");

        var withSecond = texts.Length == 7 || (texts.Length == 6 && !LooksLikeYear(texts[5]));
        var rest = withSecond ? texts[1..] : texts;
        return new(
            CronField.Parse(withSecond ? texts[0] : "0", CronFieldRule.Second),
            CronField.Parse(rest[0], CronFieldRule.Minute),
            CronField.Parse(rest[1], CronFieldRule.Hour),
            CronField.Parse(rest[2], CronFieldRule.Day),
            CronField.Parse(rest[3], CronFieldRule.Month),
            CronField.Parse(rest[4], CronFieldRule.Weekday),
            CronField.Parse(rest.Length == 6 ? rest[5] : "*", CronFieldRule.Year));
    }

    private static string WithoutTag(string cron)
    {
        if (cron[0] != '@')
            return cron;
        return Tags.GetValueOrDefault(cron)
            ?? throw new InvalidScheduleException($"cron: this tag is not known: use one of {string.Join(' ', Tags.Keys)}");
    }

    /// <summary>Four consecutive digits, which no weekday has.</summary>
    private static bool LooksLikeYear(string text)
    {
        var digits = 0;
        foreach (var c in text)
        {
            digits = char.IsAsciiDigit(c) ? digits + 1 : 0;
            if (digits == 4)
                return true;
        }
        return false;
    }
}
