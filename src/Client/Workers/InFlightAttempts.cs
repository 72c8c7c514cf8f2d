using System.Collections.Concurrent;
using System.Threading.Channels;

namespace TaskQueue.Client;

/// <summary>
/// The tasks a worker holds, at most concurrency and prefetch together: those that wait here, those that run, and those
/// whose outcome is on its way.
/// </summary>
internal sealed class InFlightAttempts(TaskQueueWorkerOptions options)
{
    private readonly ConcurrentDictionary<(Guid Id, int Attempt), Attempt> _held = new();
    private readonly Channel<Attempt> _waiting = Channel.CreateUnbounded<Attempt>();
    private readonly Channel<Attempt> _ended = Channel.CreateUnbounded<Attempt>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Signal _freed = new();

    /// <summary>Heartbeats have something new to say.</summary>
    public Signal Progress { get; } = new();

    public IEnumerable<Attempt> Held => _held.Values;

    /// <summary>Tasks that a processor has begun and whose outcome is not with the server: work that a stop would undo.</summary>
    public int Running => _held.Values.Count(a => a.BeganAt is not null);

    public ChannelReader<Attempt> Waiting => _waiting.Reader;

    public ChannelReader<Attempt> Ended => _ended.Reader;

    /// <summary>Nothing more is taken.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Waits until less than half of the prefetch waits here, so that a fetch is worth it, and there is room for it.</summary>
    /// <returns>How many tasks there is room for.</returns>
    public async Task<int> RoomAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var room = options.Concurrency + options.Prefetch - _held.Count;
            if (room > 0 && _waiting.Reader.Count <= options.Prefetch / 2)
                return room;
            await _freed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits until there is room for a task; for one caller at a time.</summary>
    public async Task RoomForOneAsync(CancellationToken cancellationToken)
    {
        while (_held.Count >= options.Concurrency + options.Prefetch)
            await _freed.WaitAsync(cancellationToken);
    }

    /// <summary>Takes a task. An older attempt at it that this worker still holds has lost its lease.</summary>
    public Attempt Take(WorkItem item)
    {
        var attempt = new Attempt(item, Progress);
        foreach (var older in _held.Values.Where(a => a.Item.Id == item.Id && a.Item.Attempt < item.Attempt))
            Lose(older);
        if (!_held.TryAdd((item.Id, item.Attempt), attempt))
            return _held.GetValueOrDefault((item.Id, item.Attempt), attempt); // delivered twice
        if (IsClosed || !_waiting.Writer.TryWrite(attempt))
            Settle(attempt, TaskOutcome.Snooze(TimeSpan.Zero));
        if (item.Lease / 3 < Heartbeats.Longest)
            Progress.Set(); // its lease may be shorter than those before it
        return attempt;
    }

    public Attempt? Find(Guid id, int attempt) => _held.GetValueOrDefault((id, attempt));

    /// <summary>A processor takes a task up: there may be room for another to wait.</summary>
    public void Begun() => _freed.Set();

    /// <summary>An attempt is over; its outcome is to be reported. The first outcome counts.</summary>
    public bool Settle(Attempt attempt, TaskOutcome outcome)
    {
        if (!attempt.TrySettle(outcome))
            return false;
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
    public void Remove(Attempt attempt)
    {
        _held.TryRemove((attempt.Item.Id, attempt.Item.Attempt), out _);
        attempt.Keep();
        attempt.EndProgress();
        _freed.Set();
    }

    /// <summary>Takes nothing more; what waits goes back.</summary>
    public void Close()
    {
        IsClosed = true;
        _waiting.Writer.TryComplete();
        while (_waiting.Reader.TryRead(out var attempt))
            Settle(attempt, TaskOutcome.Snooze(TimeSpan.Zero));
    }

    /// <summary>What still runs goes back.</summary>
    public void GiveBackAll()
    {
        foreach (var attempt in Held)
        {
            if (Settle(attempt, TaskOutcome.Snooze(TimeSpan.Zero)))
                attempt.Abort();
        }
    }

    /// <summary>Nothing more will end.</summary>
    public void Complete() => _ended.Writer.TryComplete();
}
