namespace TaskQueue.Engine.Health;

/// <summary>The sign of life of one loop: when it last finished a turn.</summary>
public sealed class Pulse
{
    private const long Resting = long.MinValue;

    private readonly TimeProvider _time;
    private long _beatAt;

    internal Pulse(TimeProvider time, bool needsBroker)
    {
        (_time, NeedsBroker) = (time, needsBroker);
        _beatAt = time.GetTimestamp();
    }

    /// <summary>Whether a turn waits for the broker too, and not for the database alone.</summary>
    internal bool NeedsBroker { get; }

    /// <summary>How long the turn under way takes, and those before it that failed; zero while the loop rests.</summary>
    internal TimeSpan Age => Interlocked.Read(ref _beatAt) is var at and not Resting ? _time.GetElapsedTime(at) : TimeSpan.Zero;

    /// <summary>A turn is finished, or the next begins after a rest. One that failed is not.</summary>
    public void Beat() => Interlocked.Exchange(ref _beatAt, _time.GetTimestamp());

    /// <summary>The loop waits for something that may take any time, such as work; the next beat ends it.</summary>
    public void Rest() => Interlocked.Exchange(ref _beatAt, Resting);
}
