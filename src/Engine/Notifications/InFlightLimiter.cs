namespace TaskQueue.Engine.Notifications;

/// <summary>
/// Bounds what the in-process bus holds in memory. While it is full, accepted push tasks wait in the database and the
/// scheduler dispatches them when there is room. A broker keeps its own backlog, so there it is never full.
/// </summary>
public sealed class InFlightLimiter(BusTransport transport)
{
    private const int Size = 5_000;

    private int _waiting;

    /// <summary>Whether no more should be dispatched now.</summary>
    public bool IsFull => transport.IsInProcess && Volatile.Read(ref _waiting) >= Size;

    /// <summary>Tasks were handed to the bus.</summary>
    public void Sent(int tasks) => Interlocked.Add(ref _waiting, tasks);

    /// <summary>A worker has taken a task up.</summary>
    public void Taken() => Interlocked.Decrement(ref _waiting);
}
