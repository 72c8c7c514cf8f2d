namespace TaskQueue.Engine.Health;

/// <summary>Heartbeat of a loop: when it last completed an iteration.</summary>
public sealed class LoopHeartbeat
{
    private const long Resting = long.MinValue;

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private long _beatAt;
    private long? _failingSince;
    private Exception? _fault;

    internal LoopHeartbeat(TimeProvider time)
    {
        _time = time;
        _beatAt = time.GetTimestamp();
    }

    /// <summary>Duration of the current iteration and of the failed ones before it; zero while the loop is idle.</summary>
    internal TimeSpan Age => Interlocked.Read(ref _beatAt) is var at and not Resting ? _time.GetElapsedTime(at) : TimeSpan.Zero;

    /// <summary>How long every iteration has failed; zero if the last one succeeded.</summary>
    internal TimeSpan Failing
    {
        get
        {
            lock (_lock)
                return _failingSince is { } since ? _time.GetElapsedTime(since) : TimeSpan.Zero;
        }
    }

    /// <summary>The exception of the last iteration; null if it succeeded.</summary>
    internal Exception? Fault
    {
        get
        {
            lock (_lock)
                return _fault;
        }
    }

    /// <summary>Records a successful iteration.</summary>
    public void Succeeded()
    {
        lock (_lock)
            (_failingSince, _fault) = (null, null);
        Beat();
    }

    /// <summary>
    /// Records an iteration that failed although the database and the broker are reachable. A loop whose iterations all fail is as
    /// unhealthy as one that hangs, even though it beats in between.
    /// </summary>
    public void Failed(Exception fault)
    {
        lock (_lock)
        {
            _failingSince ??= _time.GetTimestamp();
            _fault = fault;
        }
    }

    /// <summary>Records progress within an iteration, or the start of the next one after a pause. Not for failed iterations.</summary>
    public void Beat() => Interlocked.Exchange(ref _beatAt, _time.GetTimestamp());

    /// <summary>
    /// Marks the loop as idle: it waits for something that may take any time, such as work. The next beat ends the idle period.
    /// </summary>
    public void Rest() => Interlocked.Exchange(ref _beatAt, Resting);
}
