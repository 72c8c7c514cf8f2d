namespace TaskQueue.Engine.Schedules;

/// <summary>The local clock of a time zone.</summary>
/// <remarks>
/// Uses only the zone's offsets at instants. The zone's own classification of local times (ambiguous, invalid) misses changes of the
/// standard time, such as the day that Pacific/Apia skipped in 2011.
/// </remarks>
internal sealed class ZoneClock
{
    // No offset is larger, so a local time belongs to an instant at most this far from the same time in UTC.
    private static readonly TimeSpan LargestOffset = TimeSpan.FromHours(14);

    // The zone files hold more than zones: zones with leap seconds, copies, and the local setting of this machine.
    private static readonly string[] NotIana = ["right/", "posix/", "localtime", "posixrules", "Factory"];

    private readonly TimeZoneInfo zone;

    private ZoneClock(TimeZoneInfo zone) => this.zone = zone;

    /// <exception cref="InvalidScheduleException">The zone does not exist.</exception>
    public static ZoneClock Parse(string timeZone)
    {
        if (string.IsNullOrWhiteSpace(timeZone))
            throw new InvalidScheduleException("timezone is empty: write an IANA name, such as Europe/Berlin or UTC");
        if (LooksLikeName(timeZone) && Find(timeZone) is { } found)
            return new ZoneClock(found);
        var shown = timeZone.Length > 40 ? timeZone[..40] + "…" : timeZone;
        throw new InvalidScheduleException($"timezone '{shown}' is not known: write an IANA name, such as Europe/Berlin or UTC, in its "
            + "exact case");
    }

    /// <summary>The local time at an instant.</summary>
    public DateTime Reading(DateTime utc) => DateTime.SpecifyKind(utc + zone.GetUtcOffset(utc), DateTimeKind.Unspecified);

    /// <summary>The instant of a local time: the first occurrence of a repeated one, the end of the gap for a skipped one.</summary>
    public DateTime Instant(DateTime reading)
    {
        var change = ChangeNear(reading);
        return change.Skips(reading) ? change.At : Utc(reading - (reading < change.OldEnd ? change.Before : change.After));
    }

    /// <summary>The offset change near a local time, or one that changes nothing. Assumes at most one change within 28 hours.</summary>
    public ZoneChange ChangeNear(DateTime reading)
    {
        var (low, high) = (Utc(reading - LargestOffset), Utc(reading + LargestOffset));
        var (before, after) = (zone.GetUtcOffset(low), zone.GetUtcOffset(high));
        if (before == after)
            return new ZoneChange(low, before, after);

        // Clocks change on whole seconds.
        low = low.AddTicks(-(low.Ticks % TimeSpan.TicksPerSecond));
        var seconds = (long)(high - low).TotalSeconds + 1;
        var unchanged = 0L;
        while (seconds - unchanged > 1)
        {
            var middle = (unchanged + seconds) / 2;
            if (zone.GetUtcOffset(low.AddSeconds(middle)) == before)
                unchanged = middle;
            else
                seconds = middle;
        }
        return new ZoneChange(low.AddSeconds(seconds), before, after);
    }

    /// <summary>Marks a time as UTC.</summary>
    public static DateTime Utc(DateTime time) => DateTime.SpecifyKind(time, DateTimeKind.Utc);

    private static bool LooksLikeName(string text) => text.Length <= 64
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-' or '+')
        && !text.Contains("//", StringComparison.Ordinal)
        && !NotIana.Any(prefix => text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    private static TimeZoneInfo? Find(string timeZone)
    {
        try
        {
            // Once found, a zone is cached and then found in any letter case, so the name is compared. ICU also knows Windows names, such
            // as UTC-11.
            var found = TimeZoneInfo.FindSystemTimeZoneById(timeZone);
            return found.Id == timeZone && found.HasIanaId ? found : null;
        }
        catch (Exception e) when (e is TimeZoneNotFoundException or InvalidTimeZoneException or System.Security.SecurityException)
        {
            return null;
        }
    }
}

/// <summary>An instant at which the offset of a zone changes.</summary>
internal readonly record struct ZoneChange(DateTime At, TimeSpan Before, TimeSpan After)
{
    /// <summary>The local time of the change by the old offset.</summary>
    public DateTime OldEnd { get; } = DateTime.SpecifyKind(At + Before, DateTimeKind.Unspecified);

    /// <summary>The local time of the change by the new offset.</summary>
    public DateTime NewStart { get; } = DateTime.SpecifyKind(At + After, DateTimeKind.Unspecified);

    /// <summary>Whether a local time is skipped.</summary>
    public bool Skips(DateTime reading) => reading >= OldEnd && reading < NewStart;

    /// <summary>Whether a local time occurs twice.</summary>
    public bool Repeats(DateTime reading) => reading >= NewStart && reading < OldEnd;
}
