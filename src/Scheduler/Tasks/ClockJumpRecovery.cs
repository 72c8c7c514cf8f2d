namespace TaskQueue.Scheduler.Tasks;

/// <summary>Finds out that somebody set the clock: it then differs from the one that only counts.</summary>
internal sealed class ClockJumpRecovery(TimeProvider time)
{
    /// <summary>
    /// What a clock that is kept in time by slewing, or by small steps, never jumps by; and shorter than any usual lease.
    /// </summary>
    private static readonly TimeSpan Smallest = TimeSpan.FromSeconds(5);

    private (DateTimeOffset Wall, long Count) _known = Now(time);

    /// <summary>By how much the clock was set since it was last followed; null where it was not.</summary>
    public TimeSpan? Step
    {
        get
        {
            var (wall, count) = Now(time);
            var step = wall - _known.Wall - time.GetElapsedTime(_known.Count, count);
            if (step.Duration() >= Smallest)
                return step;
            _known = (wall, count); // small differences must not add up over days
            return null;
        }
    }

    /// <summary>From here on the clock is right.</summary>
    public void Followed() => _known = Now(time);

    private static (DateTimeOffset Wall, long Count) Now(TimeProvider time) => (time.GetUtcNow(), time.GetTimestamp());
}
