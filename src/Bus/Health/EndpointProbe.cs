namespace TaskQueue.Bus.Health;

/// <summary>
/// Liveness of a receive endpoint of this process. The start and end of every delivery show that it consumes; canaries make sure that there
/// are some. They are sent to the queue, which other processes may consume too: about as many canaries as there are processes arrive
/// between two of our own, and the broker distributes them in turn.
/// </summary>
/// <param name="name">Name in metrics.</param>
/// <param name="queue">Name of the queue and its exchange.</param>
/// <param name="time">The clock.</param>
internal sealed class EndpointProbe(string name, string queue, TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _heardAt = time.GetTimestamp();
    private long? _unansweredAt;

    public string Name => name;

    public string Queue => queue;

    /// <summary>Records a delivery, its end, or that the consumer is too busy for more.</summary>
    public void Heard()
    {
        lock (_lock)
        {
            _heardAt = time.GetTimestamp();
            _unansweredAt = null;
        }
    }

    /// <summary>Records that the broker confirmed a canary.</summary>
    /// <param name="at">Timestamp from before it was sent: it may have returned already.</param>
    public void Sent(long at)
    {
        lock (_lock)
        {
            if (_heardAt < at)
                _unansweredAt ??= at;
        }
    }

    /// <summary>Ignores the silence: the broker does not accept canaries for this queue.</summary>
    public void Ignore()
    {
        lock (_lock)
            _unansweredAt = null;
    }

    /// <summary>How long canaries have been sent without any delivery.</summary>
    public TimeSpan Silence
    {
        get
        {
            lock (_lock)
                return _unansweredAt is { } at ? time.GetElapsedTime(at) : TimeSpan.Zero;
        }
    }
}
