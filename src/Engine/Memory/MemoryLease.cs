namespace TaskQueue.Engine.Memory;

/// <summary>Memory reserved from a <see cref="MemoryPool"/>; dispose it to return the memory.</summary>
public sealed class MemoryLease : IDisposable
{
    private readonly MemoryPool _pool;

    internal MemoryLease(MemoryPool pool, long ticket, long most) => (_pool, Ticket, Most) = (pool, ticket, most);

    /// <summary>Bytes reserved now.</summary>
    public long Bytes { get; internal set; }

    /// <summary>Maximum bytes it may grow to: the pool guarantees that every lease can reach its maximum, one after the other.</summary>
    internal long Most { get; set; }

    /// <summary>Its position among all leases of the pool.</summary>
    internal long Ticket { get; }

    /// <summary>Whether it may still grow.</summary>
    internal bool IsGrowing => Bytes > 0 && Most > Bytes;

    /// <summary>Waits until it holds at least <paramref name="bytes"/>.</summary>
    /// <exception cref="OverloadedException">No memory became free in time; the lease holds what it held before.</exception>
    public ValueTask GrowAsync(long bytes, CancellationToken cancellationToken) => _pool.GrowAsync(this, bytes, cancellationToken);

    /// <summary>Grows without waiting.</summary>
    /// <returns>False if there is not enough memory.</returns>
    public bool TryGrow(long bytes) => _pool.TryGrow(this, bytes);

    /// <summary>Sets the reservation to exactly <paramref name="bytes"/>, the size now known, and stops growing.</summary>
    public void Set(long bytes) => _pool.Set(this, bytes);

    /// <summary>Returns all memory. Idempotent.</summary>
    public void Dispose() => _pool.Set(this, 0);
}
