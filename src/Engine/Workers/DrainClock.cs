namespace TaskQueue.Engine.Workers;

/// <summary>Orders what this process decides about draining workers, and its reads of what others decided.</summary>
internal sealed class DrainClock
{
    private long _now;

    /// <summary>A moment after all moments before.</summary>
    public long Next() => Interlocked.Increment(ref _now);
}
