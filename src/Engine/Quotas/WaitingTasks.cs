namespace TaskQueue.Engine.Quotas;

/// <summary>Waiting tasks of one tenant as known to this process.</summary>
internal sealed class WaitingTasks
{
    /// <summary>Age after which a count is not used any more.</summary>
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Task? _counting;
    private long _counted, _committed, _reserved;
    private long? _countedAt, _nextAt, _usedAt;

    /// <summary>The last count, plus what this process has accepted since or is accepting.</summary>
    public long Used
    {
        get
        {
            lock (_lock)
                return _counted + _committed + _reserved;
        }
    }

    /// <summary>Tasks that this process has committed since the last count.</summary>
    public long Committed
    {
        get
        {
            lock (_lock)
                return _committed;
        }
    }

    /// <summary>Whether there is a recent count.</summary>
    public bool IsKnown(TimeProvider time)
    {
        lock (_lock)
            return _countedAt is { } at && time.GetElapsedTime(at) < Stale;
    }

    /// <summary>Whether nothing was reserved for the given time.</summary>
    public bool IsIdle(TimeProvider time, TimeSpan idle)
    {
        lock (_lock)
            return _reserved == 0 && _counting is null && time.GetElapsedTime(_usedAt ??= time.GetTimestamp()) >= idle;
    }

    /// <summary>Begins a count if one is due; otherwise returns the one in progress.</summary>
    public Task CountIfDue(TimeProvider time, Func<Task> count)
    {
        lock (_lock)
        {
            if (_counting is { } running)
                return running;
            if (_nextAt is { } next && time.GetTimestamp() < next)
                return Task.CompletedTask;
            return _counting = Task.Run(count);
        }
    }

    /// <summary>Applies a count, which includes everything committed before it began.</summary>
    public void Counted(long count, long committedBefore, long at)
    {
        lock (_lock)
        {
            _counted = count;
            _committed -= committedBefore;
            _countedAt = at;
        }
    }

    /// <summary>Ends a count and sets the earliest time of the next one.</summary>
    public void NotBefore(long now, TimeSpan pause, TimeProvider time)
    {
        lock (_lock)
        {
            _counting = null;
            _nextAt = now + (long)(pause.TotalSeconds * time.TimestampFrequency);
        }
    }

    /// <summary>Reserves room; false if there is none.</summary>
    public bool TryReserve(long count, long limit, TimeProvider time)
    {
        lock (_lock)
        {
            _usedAt = time.GetTimestamp();
            if (_counted + _committed + _reserved + count > limit)
                return false;
            _reserved += count;
            return true;
        }
    }

    /// <summary>Returns a reservation except for what was committed.</summary>
    public void Settle(long reserved, long committed)
    {
        lock (_lock)
        {
            _reserved -= reserved;
            _committed += committed;
        }
    }
}

/// <summary>Room reserved for the tasks of a submission.</summary>
internal sealed class WaitingReservation : IDisposable
{
    private readonly List<Part> _parts = new(1);

    public void Add(string tenant, WaitingTasks tasks, int count) => _parts.Add(new(tenant, tasks, count));

    /// <summary>Records a committed task of a tenant.</summary>
    public void Accept(string? tenant)
    {
        foreach (var part in _parts)
        {
            if (part.Tenant == tenant)
                part.Committed++;
        }
    }

    public void Dispose()
    {
        foreach (var part in _parts)
            part.Tasks.Settle(part.Reserved, part.Committed);
        _parts.Clear();
    }

    private sealed class Part(string tenant, WaitingTasks tasks, int reserved)
    {
        public string Tenant { get; } = tenant;

        public WaitingTasks Tasks { get; } = tasks;

        public int Reserved { get; } = reserved;

        public int Committed { get; set; }
    }
}
