namespace TaskQueue.Engine.Notifications;

/// <summary>
/// Bounds the messages in the in-process bus. While it is full, accepted push tasks wait in the database until the scheduler dispatches
/// them. A broker keeps its own backlog, so with a broker it is never full.
/// </summary>
public sealed class InFlightLimiter(BusTransport transport)
{
    private const int Size = 5_000;

    private int _waiting;

    /// <summary>Whether dispatching must pause.</summary>
    public bool IsFull => transport.IsInProcess && Volatile.Read(ref _waiting) >= Size;

    /// <summary>Records tasks sent to the bus.</summary>
    public void Sent(int tasks) => Interlocked.Add(ref _waiting, tasks);

    /// <summary>Records that a worker received a task.</summary>
    public void Taken() => Interlocked.Decrement(ref _waiting);
}
