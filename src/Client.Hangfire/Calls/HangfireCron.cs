namespace TaskQueue.Client;

/// <summary>Translates cron expressions of Hangfire, which are those of Cronos, into those of schedules.</summary>
internal static class HangfireCron
{
    private const int LastDayOfAllMonths = 28;

    private static readonly Dictionary<string, string> Macros = new(StringComparer.OrdinalIgnoreCase)
    {
        ["@every_second"] = "* * * * * *", ["@every_minute"] = "* * * * *", ["@midnight"] = "0 0 * * *", ["@hourly"] = "0 * * * *",
        ["@daily"] = "0 0 * * *", ["@weekly"] = "0 0 * * 0", ["@monthly"] = "0 0 1 * *", ["@yearly"] = "0 0 1 1 *",
        ["@annually"] = "0 0 1 1 *",
    };

    /// <exception cref="ArgumentException">It is not an expression of Hangfire.</exception>
    /// <exception cref="NotSupportedException">A schedule would fire at other times.</exception>
    public static string Translate(string cron)
    {
        cron = cron.Trim();
        if (cron.StartsWith('@'))
            return Macros.GetValueOrDefault(cron) ?? throw new ArgumentException($"cron: {cron} is not known", nameof(cron));
        var fields = cron.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length is not (5 or 6))
            throw new ArgumentException($"cron has {fields.Length} fields: write 5, or 6 with seconds first", nameof(cron));
        var (day, weekday) = (fields[^3], fields[^1]);
        if (!MeansBoth(day, weekday))
            throw new NotSupportedException($"cron '{cron}' restricts day and weekday: in Hangfire a day must match both, in a schedule "
                + "either is enough. Write one of them, and check the other in the job");
        if (IsNearestToMissingDay(day))
            throw new NotSupportedException($"cron '{cron}' names the weekday nearest to a day that some months lack: they have a tick "
                + "in a schedule, and none in Hangfire. Use 28W or a smaller day, or L");
        return string.Join(' ', fields);
    }

    /// <summary>The IANA name of a time zone.</summary>
    /// <exception cref="NotSupportedException">It has none.</exception>
    public static string ZoneOf(TimeZoneInfo zone)
    {
        if (zone.Equals(TimeZoneInfo.Utc))
            return "UTC";
        if (zone.HasIanaId)
            return zone.Id;
        return TimeZoneInfo.TryConvertWindowsIdToIanaId(zone.Id, out var iana) ? iana
            : throw new NotSupportedException($"the time zone {zone.Id} has no IANA name: use one such as Europe/Berlin");
    }

    /// <summary>Whether a schedule, too, fires on days that match day and weekday: one of them is unrestricted, or a step of all.</summary>
    private static bool MeansBoth(string day, string weekday) =>
        weekday is "*" or "?" || weekday.StartsWith("*/", StringComparison.Ordinal) || day.StartsWith('*') || day == "?";

    private static bool IsNearestToMissingDay(string day) =>
        day.EndsWith("W", StringComparison.OrdinalIgnoreCase) && int.TryParse(day.AsSpan(0, day.Length - 1), out var number)
        && number > LastDayOfAllMonths;
}
