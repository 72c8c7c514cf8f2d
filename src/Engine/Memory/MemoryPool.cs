namespace TaskQueue.Engine.Memory;

/// <summary>
/// A pool of the budget. Reservations are granted in order of arrival; one that times out is refused. A lease may grow in steps up to a
/// size stated at first: a step is granted only if every lease can still reach its size, so that concurrent bodies never deadlock. A lease
/// larger than the pool is granted when no other holds memory.
/// </summary>
public sealed class MemoryPool
{
    private readonly TimeProvider _time;
    private readonly TimeSpan _patience;
    private readonly Lock _lock = new();
    private readonly SortedDictionary<long, Waiter> _waiters = [];
    private readonly HashSet<MemoryLease> _growing = [];
    private long _used, _tickets, _refused;
    private int _growingWaiters;

    /// <summary>Creates a pool.</summary>
    /// <param name="name">Name in metrics.</param>
    /// <param name="size">Size in bytes.</param>
    /// <param name="patience">Maximum wait of a reservation.</param>
    /// <param name="time">The clock.</param>
    public MemoryPool(string name, long size, TimeSpan patience, TimeProvider time) =>
        (Name, Size, _patience, _time) = (name, size, patience, time);

    /// <summary>Name in metrics.</summary>
    public string Name { get; }

    /// <summary>Size in bytes.</summary>
    public long Size { get; }

    /// <summary>Bytes reserved.</summary>
    public long Used => Interlocked.Read(ref _used);

    /// <summary>Number of waiting reservations.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
                return _waiters.Count;
        }
    }

    /// <summary>Number of refused reservations since the start.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Reserves without waiting; null if memory is short or others wait.</summary>
    public MemoryLease? TryReserve(long bytes)
    {
        var lease = new MemoryLease(this, Interlocked.Increment(ref _tickets), bytes);
        if (TryGrow(lease, bytes))
            return lease;
        Interlocked.Increment(ref _refused);
        return null;
    }

    /// <summary>Reserves in order of arrival.</summary>
    /// <param name="bytes">Bytes to reserve at first.</param>
    /// <param name="most">Bytes it may grow to.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="OverloadedException">No memory became free in time.</exception>
    public async ValueTask<MemoryLease> ReserveAsync(long bytes, long most, CancellationToken cancellationToken)
    {
        var lease = new MemoryLease(this, Interlocked.Increment(ref _tickets), Math.Max(bytes, most));
        await GrowAsync(lease, bytes, cancellationToken);
        return lease;
    }

    /// <summary>Reserves a fixed size in order of arrival.</summary>
    public ValueTask<MemoryLease> ReserveAsync(long bytes, CancellationToken cancellationToken) =>
        ReserveAsync(bytes, bytes, cancellationToken);

    internal bool TryGrow(MemoryLease lease, long bytes)
    {
        lock (_lock)
        {
            if (bytes <= lease.Bytes)
                return true;
            if ((lease.Bytes == 0 && _waiters.Count > 0) || !Fits(lease, bytes))
                return false;
            Hold(lease, bytes);
            return true;
        }
    }

    internal ValueTask GrowAsync(MemoryLease lease, long bytes, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_lock)
        {
            if (bytes <= lease.Bytes)
                return ValueTask.CompletedTask;
            if ((lease.Bytes > 0 || _waiters.Count == 0) && Fits(lease, bytes))
            {
                Hold(lease, bytes);
                return ValueTask.CompletedTask;
            }

            waiter = new Waiter(lease, bytes);
            _waiters.Add(lease.Ticket, waiter);
            _growingWaiters += lease.Bytes > 0 ? 1 : 0;
        }

        return new(WaitAsync(waiter, cancellationToken));
    }

    internal void Set(MemoryLease lease, long bytes)
    {
        lock (_lock)
        {
            if (lease.Bytes == bytes && lease.Most == bytes)
                return;
            lease.Most = bytes;
            Hold(lease, bytes);
            GrantWaiting();
        }
    }

    private async Task WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        try
        {
            await waiter.Granted.Task.WaitAsync(_patience, _time, cancellationToken);
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException)
        {
            if (!Leave(waiter))
                return; // granted at the last moment
            if (fault is OperationCanceledException)
                throw;
            Interlocked.Increment(ref _refused);
            throw new OverloadedException(
                $"no memory for {waiter.Bytes} bytes became free within {_patience.TotalSeconds:0.#} s; nothing of this request was done: "
                    + "try again");
        }
    }

    /// <returns>Whether it was still waiting.</returns>
    private bool Leave(Waiter waiter)
    {
        lock (_lock)
        {
            if (!_waiters.Remove(waiter.Lease.Ticket))
                return false;
            _growingWaiters -= waiter.Lease.Bytes > 0 ? 1 : 0;
            GrantWaiting();
            return true;
        }
    }

    /// <summary>
    /// Grants new reservations strictly in order. Growing leases may overtake, because reservations before them may wait for them to end.
    /// </summary>
    private void GrantWaiting()
    {
        if (_waiters.Count == 0)
            return;
        List<Waiter>? granted = null;
        var isBlocked = false;
        foreach (var waiter in _waiters.Values)
        {
            if (isBlocked && _growingWaiters == 0)
                break;
            if ((isBlocked && waiter.Lease.Bytes == 0) || !Fits(waiter.Lease, waiter.Bytes))
            {
                isBlocked = true;
                continue;
            }

            _growingWaiters -= waiter.Lease.Bytes > 0 ? 1 : 0;
            Hold(waiter.Lease, waiter.Bytes);
            (granted ??= []).Add(waiter);
        }

        foreach (var waiter in granted ?? [])
        {
            _waiters.Remove(waiter.Lease.Ticket);
            waiter.Granted.SetResult();
        }
    }

    private void Hold(MemoryLease lease, long bytes)
    {
        Interlocked.Add(ref _used, bytes - lease.Bytes);
        lease.Bytes = bytes;
        lease.Most = Math.Max(lease.Most, bytes);
        if (lease.IsGrowing)
            _growing.Add(lease);
        else
            _growing.Remove(lease);
    }

    private bool Fits(MemoryLease lease, long bytes)
    {
        if (_used == lease.Bytes)
            return true; // no other lease holds memory
        return _used + bytes - lease.Bytes <= Size && (_growing.Count == 0 || IsSafe(lease, bytes));
    }

    /// <summary>
    /// Whether all leases can still reach their maximum in some order if this one holds <paramref name="bytes"/>. Leases that do not grow
    /// end by themselves, and each that is served returns its memory (banker's algorithm for a single resource).
    /// </summary>
    private bool IsSafe(MemoryLease lease, long bytes)
    {
        var open = new List<(long Need, long Held)>(_growing.Count + 1);
        foreach (var other in _growing)
        {
            if (other != lease)
                open.Add((Math.Min(other.Most, Size) - other.Bytes, other.Bytes));
        }

        if (lease.Most > bytes)
            open.Add((Math.Min(lease.Most, Size) - bytes, bytes));
        var free = Size - open.Sum(o => o.Held);
        foreach (var (need, held) in open.OrderBy(o => o.Need))
        {
            if (need > free)
                return false;
            free += held;
        }

        return true;
    }

    private sealed record Waiter(MemoryLease Lease, long Bytes)
    {
        public TaskCompletionSource Granted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
