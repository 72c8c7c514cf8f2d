namespace TaskQueue.Engine.Memory;

/// <summary>
/// A part of the budget. Reservations are granted in order of arrival; one that finds no room in time is refused. A lease may grow in
/// steps, up to a size that it states at first: a step is granted only where every lease can still reach its size, so that
/// bodies that arrive side by side never wait for each other in a ring. One that needs more than there is gets it when nobody else holds
/// any.
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

    /// <summary>Makes a part.</summary>
    /// <param name="name">Its name in metrics.</param>
    /// <param name="size">Its bytes.</param>
    /// <param name="patience">How long a reservation waits.</param>
    /// <param name="time">The clock.</param>
    public MemoryPool(string name, long size, TimeSpan patience, TimeProvider time) =>
        (Name, Size, _patience, _time) = (name, size, patience, time);

    /// <summary>Its name in metrics.</summary>
    public string Name { get; }

    /// <summary>Its bytes.</summary>
    public long Size { get; }

    /// <summary>Bytes that are reserved.</summary>
    public long Used => Interlocked.Read(ref _used);

    /// <summary>Reservations that wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
                return _waiters.Count;
        }
    }

    /// <summary>Reservations that were refused since the start.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Reserves without a wait; null where there is no room or others wait.</summary>
    public MemoryLease? TryReserve(long bytes)
    {
        var lease = new MemoryLease(this, Interlocked.Increment(ref _tickets), bytes);
        if (TryGrow(lease, bytes))
            return lease;
        Interlocked.Increment(ref _refused);
        return null;
    }

    /// <summary>Reserves, in order of arrival.</summary>
    /// <param name="bytes">How much at first.</param>
    /// <param name="most">How much it may grow to.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OverloadedException">There was no room in time.</exception>
    public async ValueTask<MemoryLease> ReserveAsync(long bytes, long most, CancellationToken cancellationToken)
    {
        var lease = new MemoryLease(this, Interlocked.Increment(ref _tickets), Math.Max(bytes, most));
        await GrowAsync(lease, bytes, cancellationToken);
        return lease;
    }

    /// <summary>The same of one that does not grow.</summary>
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
                return; // granted in the last moment
            if (fault is OperationCanceledException)
                throw;
            Interlocked.Increment(ref _refused);
            throw new OverloadedException(
                $"no memory for {waiter.Bytes} bytes became free within {_patience.TotalSeconds:0.#} s; nothing of this request was done: "
                    + "try again");
        }
    }

    /// <returns>Whether it still waited.</returns>
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
    /// New reservations strictly in order; leases that grow may overtake, because those before them may wait for their end.
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
            return true; // nobody else holds any
        return _used + bytes - lease.Bytes <= Size && (_growing.Count == 0 || IsSafe(lease, bytes));
    }

    /// <summary>
    /// Whether, once the lease holds so much, there is an order in which all get what they may need: leases that do not grow end by
    /// themselves, and each that is served returns what it held (the banker's algorithm for one kind of good).
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
