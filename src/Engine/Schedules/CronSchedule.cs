namespace TaskQueue.Engine.Schedules;

/// <summary>A cron expression in a time zone, and its ticks (moab.md 8). Immutable and thread-safe.</summary>
/// <remarks>
/// When the clock changes: a schedule restricted to certain hours fires once for times that are skipped, at the first instant after the
/// gap, and once for times that occur twice, at the first occurrence. A schedule of all hours runs in real time: it fires at both
/// occurrences and has nothing to make up after a gap.
/// </remarks>
public sealed class CronSchedule
{
    private static readonly DateTime Earliest = new(CronTicks.FirstYear, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private static readonly DateTime Latest = new(CronTicks.LastYear + 1, 1, 2, 0, 0, 0, DateTimeKind.Utc);

    private readonly CronTicks ticks;
    private readonly ZoneClock clock;
    private readonly bool allHours;

    private CronSchedule(CronFields fields, ZoneClock clock)
    {
        ticks = new CronTicks(fields);
        allHours = fields.Hour.HasAll;
        this.clock = clock;
    }

    /// <summary>Parses a cron expression and the IANA name of a time zone.</summary>
    /// <exception cref="InvalidScheduleException">Either is invalid.</exception>
    public static CronSchedule Parse(string cron, string timeZone) => new(CronFields.Parse(cron), ZoneClock.Parse(timeZone));

    /// <summary>The first tick strictly after an instant; null if there is none from 1970 to 2099.</summary>
    /// <param name="afterUtc">The instant, in UTC.</param>
    public DateTime? Next(DateTime afterUtc)
    {
        if (afterUtc.Kind == DateTimeKind.Local)
            throw new ArgumentException("The time must be in UTC.", nameof(afterUtc));
        if (afterUtc >= Latest)
            return null;
        var after = afterUtc < Earliest ? Earliest.AddTicks(-1) : ZoneClock.Utc(afterUtc);
        return allHours ? NextByRealTime(after) : NextByTheClock(after);
    }

    /// <summary>The ticks strictly after an instant, in order; fewer than requested if there are no more.</summary>
    /// <param name="afterUtc">The instant, in UTC.</param>
    /// <param name="count">Maximum number of ticks.</param>
    public IEnumerable<DateTime> Upcoming(DateTime afterUtc, int count)
    {
        for (var tick = count > 0 ? Next(afterUtc) : null; tick is { } found; tick = --count > 0 ? Next(found) : null)
            yield return found;
    }

    private DateTime? NextByTheClock(DateTime after)
    {
        var reading = clock.Reading(after);
        var change = clock.ChangeNear(reading);
        // The second occurrence has no ticks of its own.
        if (change.Repeats(reading) && after >= change.At)
            reading = change.OldEnd.AddTicks(-1);
        return ticks.Next(reading) is { } tick ? clock.Instant(tick) : null;
    }

    private DateTime? NextByRealTime(DateTime after)
    {
        var reading = clock.Reading(after);
        var change = clock.ChangeNear(reading);
        var tick = ticks.Next(reading);
        if (change.Repeats(reading))
        {
            // After the last tick of the first occurrence come those of the second, which starts over.
            var second = after >= change.At ? tick : tick < change.OldEnd ? null : ticks.Next(change.NewStart.AddTicks(-1));
            if (second < change.OldEnd)
                return ZoneClock.Utc(second.Value - change.After);
        }
        return FirstShown(tick);
    }

    /// <summary>The instant of a tick, or of the first later one that is not in a gap.</summary>
    private DateTime? FirstShown(DateTime? tick)
    {
        while (tick is { } reading)
        {
            var change = clock.ChangeNear(reading);
            if (!change.Skips(reading))
                return clock.Instant(reading);
            tick = ticks.Next(change.NewStart.AddTicks(-1));
        }
        return null;
    }
}
