using System.Collections.Concurrent;
using System.Threading.Channels;

namespace TaskQueue.Client;

/// <summary>
/// The tasks a worker holds, at most concurrency and prefetch together: those that wait here, those that run, and those
/// whose outcome is on its way, beyond the backlog of reports.
/// </summary>
internal sealed class InFlightAttempts(WorkerRuntimeOptions options, bool returnsUnbegun)
{
    private readonly ConcurrentDictionary<Guid, Attempt> _held = new();
    private readonly Channel<Attempt> _waiting = Channel.CreateUnbounded<Attempt>();
    private readonly Channel<Attempt> _ended = Channel.CreateUnbounded<Attempt>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Signal _freed = new();
    private int _count, _reporting;
    private volatile bool _isClosed;

    /// <summary>Heartbeats have something new to report.</summary>
    public Signal Progress { get; } = new();

    public IEnumerable<Attempt> All => _held.Select(static h => h.Value);

    /// <summary>Tasks that a handler has begun and whose outcome is not with the server: work that a stop would undo.</summary>
    public int Running => All.Count(a => a.BeganAt is not null);

    public ChannelReader<Attempt> Waiting => _waiting.Reader;

    public ChannelReader<Attempt> Ended => _ended.Reader;

    /// <summary>Nothing more is taken.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>How many tasks there is room for.</summary>
    public int Room =>
        options.Concurrency + options.Prefetch + Math.Min(Volatile.Read(ref _reporting), options.ReportBacklog) - Volatile.Read(ref _count);

    /// <summary>Waits until less than half of the prefetch waits here, so that a fetch is worth it, and there is room for it.</summary>
    /// <returns>How many tasks there is room for.</returns>
    public async Task<int> RoomAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (Room is > 0 and var room && _waiting.Reader.Count <= options.Prefetch / 2)
                return room;
            await _freed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits until there is room for a task, or nothing more is taken; for one caller at a time.</summary>
    public async Task RoomForOneAsync(CancellationToken cancellationToken)
    {
        while (Room <= 0 && !_isClosed)
            await _freed.WaitAsync(cancellationToken);
    }

    /// <summary>Takes a task. An older attempt at it that this worker still holds has lost its lease.</summary>
    /// <returns>The attempt; the one that is held where the task was delivered twice.</returns>
    public Attempt Take(WorkItem item)
    {
        var attempt = new Attempt(item, Progress);
        while (!_held.TryAdd(item.Id, attempt))
        {
            if (!_held.TryGetValue(item.Id, out var other))
                continue;
            if (other.Item.Attempt >= item.Attempt)
                return other;
            if (!Lose(other) && _held.TryUpdate(item.Id, attempt, other))
                break; // the outcome of the older one is on its way
        }

        Interlocked.Increment(ref _count);
        if (_isClosed || !_waiting.Writer.TryWrite(attempt))
            Release(attempt);
        if (item.Lease / 3 < Heartbeats.Longest)
            Progress.Set(); // its lease may be shorter than those before it
        return attempt;
    }

    public Attempt? Find(Guid id) => _held.GetValueOrDefault(id);

    /// <summary>A handler takes a task up: there may be room for another to wait.</summary>
    public void Begun() => _freed.Set();

    /// <summary>An attempt is over; its outcome is to be reported. The first outcome counts.</summary>
    public bool Settle(Attempt attempt, TaskOutcome outcome)
    {
        if (!attempt.TrySettle(outcome))
            return false;
        Interlocked.Increment(ref _reporting);
        _freed.Set();
        _ended.Writer.TryWrite(attempt);
        return true;
    }

    /// <summary>An attempt is no longer this worker's.</summary>
    public bool Lose(Attempt attempt)
    {
        if (!attempt.TryLose())
            return false;
        Remove(attempt);
        return true;
    }

    /// <summary>An outcome has been reported.</summary>
    public void Reported(Attempt attempt)
    {
        Interlocked.Decrement(ref _reporting);
        Remove(attempt);
    }

    /// <summary>Takes nothing more; what waits goes back.</summary>
    public void Close()
    {
        _isClosed = true;
        _waiting.Writer.TryComplete();
        while (_waiting.Reader.TryRead(out var attempt))
            Release(attempt);
        _freed.Set();
    }

    /// <summary>Cancels what still runs; its handlers decide what becomes of it.</summary>
    public void AbortAll()
    {
        foreach (var attempt in All)
            attempt.Abort();
    }

    /// <summary>What still runs goes back.</summary>
    public void ReleaseAll()
    {
        foreach (var attempt in All)
        {
            if (Settle(attempt, TaskOutcome.Snooze(TimeSpan.Zero)))
                attempt.Abort();
        }
    }

    /// <summary>Nothing more will end.</summary>
    public void Complete() => _ended.Writer.TryComplete();

    /// <summary>A task that was not begun goes back.</summary>
    private void Release(Attempt attempt)
    {
        if (!returnsUnbegun)
            Settle(attempt, TaskOutcome.Snooze(TimeSpan.Zero));
        else if (attempt.TryReturn())
            Remove(attempt);
    }

    private void Remove(Attempt attempt)
    {
        _held.TryRemove(KeyValuePair.Create(attempt.Item.Id, attempt));
        Interlocked.Decrement(ref _count);
        attempt.Keep();
        attempt.EndProgress();
        _freed.Set();
    }
}
