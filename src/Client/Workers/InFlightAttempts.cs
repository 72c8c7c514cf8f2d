using System.Collections.Concurrent;
using System.Threading.Channels;

namespace TaskQueue.Client;

/// <summary>
/// The tasks a worker holds, at most concurrency plus prefetch: waiting, running, and those whose outcome is being reported,
/// as far as they exceed the report backlog.
/// </summary>
#pragma warning disable CA1001 // a source without a timer needs no disposal, and a transport may read its token late
internal sealed class InFlightAttempts(WorkerRuntimeOptions options, bool returnsUnbegun)
#pragma warning restore CA1001
{
    private readonly ConcurrentDictionary<Guid, Attempt> _held = new();
    private readonly Channel<Attempt> _waiting = Channel.CreateUnbounded<Attempt>();
    private readonly Channel<Attempt> _ended = Channel.CreateUnbounded<Attempt>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Signal _freed = new();
    private int _count, _reporting, _abandoned;
    private readonly CancellationTokenSource _drain = new();
    private volatile bool _isClosed;

    /// <summary>Logs outages that fetches, heartbeats and reports notice; null: nobody does.</summary>
    public OutageLog? Outages { get; init; }

    /// <summary>Wakes the heartbeats: there is new progress or a shorter lease.</summary>
    public Signal Progress { get; } = new();

    public IEnumerable<Attempt> All => _held.Select(static h => h.Value);

    /// <summary>Tasks begun by a handler whose outcome the server does not have yet: work that a stop would lose.</summary>
    public int Running => All.Count(a => a.BeganAt is not null);

    public ChannelReader<Attempt> Waiting => _waiting.Reader;

    public ChannelReader<Attempt> Ended => _ended.Reader;

    /// <summary>Whether no more tasks are accepted.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>Cancelled when the server asks the worker to finish its tasks and fetch no more.</summary>
    public CancellationToken DrainRequested => _drain.Token;

    /// <summary>Number of tasks that can be accepted: a handler whose task is lost or reported has its slot until it returns.</summary>
    public int Room =>
        (options.Limit?.Invoke() ?? options.Concurrency) + options.Prefetch + Math.Min(Volatile.Read(ref _reporting), options.ReportBacklog)
        - Volatile.Read(ref _count) - Volatile.Read(ref _abandoned);

    /// <summary>Waits until there is room and at most half of the prefetch is waiting, so that a fetch is worthwhile.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="promised">Number of tasks that were asked for before and may still arrive; null: none.</param>
    /// <returns>Number of tasks that can be accepted in addition.</returns>
    public async Task<int> RoomAsync(CancellationToken cancellationToken, Func<int>? promised = null)
    {
        while (true)
        {
            if (Room - (promised?.Invoke() ?? 0) is > 0 and var room && _waiting.Reader.Count <= options.Prefetch / 2)
                return room;
            await _freed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits until there is room for a task or no more are accepted. One caller at a time.</summary>
    public async Task RoomForOneAsync(CancellationToken cancellationToken)
    {
        while (Room <= 0 && !_isClosed)
            await _freed.WaitAsync(cancellationToken);
    }

    /// <summary>Accepts a task. An older attempt at it that this worker still holds has lost its lease.</summary>
    /// <returns>The attempt; for a duplicate delivery the attempt already held.</returns>
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
                break; // the older attempt's outcome is being reported
        }

        Interlocked.Increment(ref _count);
        if (_isClosed || !_waiting.Writer.TryWrite(attempt))
            Release(attempt);
        if (item.Lease / 3 < Heartbeats.Longest)
            Progress.Set(); // its lease may be the shortest
        return attempt;
    }

    public Attempt? Find(Guid id) => _held.GetValueOrDefault(id);

    /// <summary>Tasks that were promised room have arrived: those that have ended already left it to others.</summary>
    public void Arrived() => _freed.Set();

    /// <summary>A handler started a task: there may be room for another to wait.</summary>
    public void Begun() => _freed.Set();

    /// <summary>The handler of an attempt that has begun has returned.</summary>
    public void Returned(Attempt attempt)
    {
        if (!attempt.EndRun())
            return;
        Interlocked.Decrement(ref _abandoned);
        _freed.Set();
    }

    /// <summary>Ends an attempt and queues its outcome for reporting. The first outcome wins.</summary>
    public bool Settle(Attempt attempt, TaskOutcome outcome)
    {
        if (!attempt.TrySettle(outcome))
            return false;
        End(attempt);
        return true;
    }

    /// <summary>Drops an attempt whose lease is lost.</summary>
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

    /// <summary>The server asks the worker to finish its tasks and fetch no more.</summary>
    public void Drain() => _drain.Cancel();

    /// <summary>Stops accepting tasks and releases the waiting ones.</summary>
    public void Close()
    {
        _isClosed = true;
        _waiting.Writer.TryComplete();
        while (_waiting.Reader.TryRead(out var attempt))
            Release(attempt);
        foreach (var attempt in All) // and those that wait for a slot of their handler
            Release(attempt);
        _freed.Set();
    }

    /// <summary>Cancels running handlers; each still decides its outcome.</summary>
    public void AbortAll()
    {
        foreach (var attempt in All)
            attempt.Abort();
    }

    /// <summary>Releases the tasks that still run.</summary>
    public void ReleaseAll()
    {
        foreach (var attempt in All)
        {
            if (Settle(attempt, TaskOutcome.Snooze(TimeSpan.Zero)))
                attempt.Abort();
        }
    }

    /// <summary>No further attempt will end.</summary>
    public void Complete() => _ended.Writer.TryComplete();

    /// <summary>Releases a task, unless it has begun.</summary>
    private void Release(Attempt attempt)
    {
        if (returnsUnbegun)
        {
            if (attempt.TryReturn())
                Remove(attempt);
        }
        else if (attempt.TryRelease())
        {
            End(attempt);
        }
    }

    private void End(Attempt attempt)
    {
        Interlocked.Increment(ref _reporting);
        _freed.Set();
        _ended.Writer.TryWrite(attempt);
    }

    private void Remove(Attempt attempt)
    {
        _held.TryRemove(KeyValuePair.Create(attempt.Item.Id, attempt));
        if (attempt.Removed())
            Interlocked.Increment(ref _abandoned);
        Interlocked.Decrement(ref _count);
        attempt.Keep();
        _freed.Set();
    }
}
