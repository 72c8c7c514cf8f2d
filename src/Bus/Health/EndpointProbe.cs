namespace TaskQueue.Bus.Health;

/// <summary>
/// A receive endpoint of this process. Every delivery, and the end of every one, shows that it consumes; canaries make sure that
/// there are some. They go to the queue, which others may consume too: as many as there are processes arrive between two of our own,
/// and the broker gives each its share in turn.
/// </summary>
/// <param name="name">Its name in metrics.</param>
/// <param name="queue">The queue, and its exchange.</param>
/// <param name="time">The clock.</param>
internal sealed class EndpointProbe(string name, string queue, TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _heardAt = time.GetTimestamp();
    private long? _unansweredAt;

    public string Name => name;

    public string Queue => queue;

    /// <summary>Something arrived, or its consumer has done with it, or is too busy for more.</summary>
    public void Heard()
    {
        lock (_lock)
        {
            _heardAt = time.GetTimestamp();
            _unansweredAt = null;
        }
    }

    /// <summary>The broker took a canary.</summary>
    /// <param name="at">Timestamp from before it was sent: it may be back already.</param>
    public void Sent(long at)
    {
        lock (_lock)
        {
            if (_heardAt < at)
                _unansweredAt ??= at;
        }
    }

    /// <summary>The broker does not take canaries for this queue: silence proves nothing.</summary>
    public void Ignore()
    {
        lock (_lock)
            _unansweredAt = null;
    }

    /// <summary>Since when canaries go out and nothing comes back.</summary>
    public TimeSpan Silence
    {
        get
        {
            lock (_lock)
                return _unansweredAt is { } at ? time.GetElapsedTime(at) : TimeSpan.Zero;
        }
    }
}
