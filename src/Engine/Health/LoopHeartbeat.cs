namespace TaskQueue.Engine.Health;

/// <summary>The sign of life of one loop: when it last finished a turn.</summary>
public sealed class LoopHeartbeat
{
    private const long Resting = long.MinValue;

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private long _beatAt;
    private long? _failingSince;
    private Exception? _fault;

    internal LoopHeartbeat(TimeProvider time, bool needsBroker)
    {
        (_time, NeedsBroker) = (time, needsBroker);
        _beatAt = time.GetTimestamp();
    }

    /// <summary>Whether a turn waits for the broker too, and not for the database alone.</summary>
    internal bool NeedsBroker { get; }

    /// <summary>How long the turn under way takes, and those before it that failed; zero while the loop rests.</summary>
    internal TimeSpan Age => Interlocked.Read(ref _beatAt) is var at and not Resting ? _time.GetElapsedTime(at) : TimeSpan.Zero;

    /// <summary>Since when every turn has failed; zero where the last one succeeded.</summary>
    internal TimeSpan Failing
    {
        get
        {
            lock (_lock)
                return _failingSince is { } since ? _time.GetElapsedTime(since) : TimeSpan.Zero;
        }
    }

    /// <summary>Why the last turn failed; null where it succeeded.</summary>
    internal Exception? Fault
    {
        get
        {
            lock (_lock)
                return _fault;
        }
    }

    /// <summary>A turn came to its end without a fault.</summary>
    public void Succeeded()
    {
        lock (_lock)
            (_failingSince, _fault) = (null, null);
        Beat();
    }

    /// <summary>
    /// A turn failed, and not because the database or the broker is away. A loop whose turns all fail is as unwell as one that hangs,
    /// though it beats in between.
    /// </summary>
    public void Failed(Exception fault)
    {
        lock (_lock)
        {
            _failingSince ??= _time.GetTimestamp();
            _fault = fault;
        }
    }

    /// <summary>A part of a turn is finished, or the next begins after a rest. One that failed is not.</summary>
    public void Beat() => Interlocked.Exchange(ref _beatAt, _time.GetTimestamp());

    /// <summary>The loop waits for something that may take any time, such as work; the next beat ends it.</summary>
    public void Rest() => Interlocked.Exchange(ref _beatAt, Resting);
}
