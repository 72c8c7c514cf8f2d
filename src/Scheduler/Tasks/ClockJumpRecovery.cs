namespace TaskQueue.Scheduler.Tasks;

/// <summary>Detects clock changes: the wall clock then drifts from the monotonic clock.</summary>
internal sealed class ClockJumpRecovery(TimeProvider time)
{
    /// <summary>Larger than any correction of a clock synchronized by slewing or small steps, and shorter than any usual lease.</summary>
    private static readonly TimeSpan Smallest = TimeSpan.FromSeconds(5);

    private (DateTimeOffset Wall, long Count) _known = Now(time);

    /// <summary>By how much the clock was changed since <see cref="Followed"/>; null if it was not.</summary>
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

    /// <summary>Accepts the current clock as correct.</summary>
    public void Followed() => _known = Now(time);

    private static (DateTimeOffset Wall, long Count) Now(TimeProvider time) => (time.GetUtcNow(), time.GetTimestamp());
}
