namespace TaskQueue.Engine.Memory;

/// <summary>Memory that was reserved of a <see cref="MemoryPool"/>; disposed when it is not used any more.</summary>
public sealed class MemoryLease : IDisposable
{
    private readonly MemoryPool _pool;

    internal MemoryLease(MemoryPool pool, long ticket, long most) => (_pool, Ticket, Most) = (pool, ticket, most);

    /// <summary>Bytes that it holds now.</summary>
    public long Bytes { get; internal set; }

    /// <summary>Bytes that it may grow to: the pool keeps it possible that every lease gets there, one after the other.</summary>
    internal long Most { get; set; }

    /// <summary>Its place among all leases of the pool.</summary>
    internal long Ticket { get; }

    /// <summary>Whether it may still ask for more.</summary>
    internal bool IsGrowing => Bytes > 0 && Most > Bytes;

    /// <summary>Waits until it holds at least <paramref name="bytes"/>.</summary>
    /// <exception cref="OverloadedException">There was no room in time; it holds what it held before.</exception>
    public ValueTask GrowAsync(long bytes, CancellationToken cancellationToken) => _pool.GrowAsync(this, bytes, cancellationToken);

    /// <summary>Grows without a wait.</summary>
    /// <returns>False where there is no room.</returns>
    public bool TryGrow(long bytes) => _pool.TryGrow(this, bytes);

    /// <summary>Holds exactly <paramref name="bytes"/> from now on, because so much is there, and grows no more.</summary>
    public void Set(long bytes) => _pool.Set(this, bytes);

    /// <summary>Returns it all. Idempotent.</summary>
    public void Dispose() => _pool.Set(this, 0);
}
