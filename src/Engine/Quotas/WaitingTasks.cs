namespace TaskQueue.Engine.Quotas;

/// <summary>What one process knows of the waiting tasks of one tenant.</summary>
internal sealed class WaitingTasks
{
    /// <summary>A count of before is of no use once it is this old.</summary>
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Task? _counting;
    private long _counted, _committed, _reserved;
    private long? _countedAt, _nextAt, _usedAt;

    /// <summary>The last count, and what this process has accepted since or is about to.</summary>
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

    /// <summary>Whether there is a count of the last seconds.</summary>
    public bool IsKnown(TimeProvider time)
    {
        lock (_lock)
            return _countedAt is { } at && time.GetElapsedTime(at) < Stale;
    }

    /// <summary>Whether nothing has been reserved for so long.</summary>
    public bool IsIdle(TimeProvider time, TimeSpan idle)
    {
        lock (_lock)
            return _reserved == 0 && _counting is null && time.GetElapsedTime(_usedAt ??= time.GetTimestamp()) >= idle;
    }

    /// <summary>Begins a count where it is time; returns the one that runs.</summary>
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

    /// <summary>Takes over a count; what was committed before it began is part of it.</summary>
    public void Counted(long count, long committedBefore, long at)
    {
        lock (_lock)
        {
            _counted = count;
            _committed -= committedBefore;
            _countedAt = at;
        }
    }

    /// <summary>A count has ended; the next one may begin after a pause.</summary>
    public void NotBefore(long now, TimeSpan pause, TimeProvider time)
    {
        lock (_lock)
        {
            _counting = null;
            _nextAt = now + (long)(pause.TotalSeconds * time.TimestampFrequency);
        }
    }

    /// <summary>Reserves room; false where there is none.</summary>
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

    /// <summary>Gives a reservation back, but for what was committed.</summary>
    public void Settle(long reserved, long committed)
    {
        lock (_lock)
        {
            _reserved -= reserved;
            _committed += committed;
        }
    }
}

/// <summary>Room for the tasks of a submission.</summary>
internal sealed class WaitingReservation : IDisposable
{
    private readonly List<Part> _parts = new(1);

    public void Add(string tenant, WaitingTasks tasks, int count) => _parts.Add(new(tenant, tasks, count));

    /// <summary>A new task of a tenant was committed.</summary>
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
