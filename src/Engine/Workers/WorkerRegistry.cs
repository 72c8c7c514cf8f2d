using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Workers;

/// <summary>
/// The workers that contacted this process, from their claims and reports. Only memory: <see cref="WorkerFlush"/> writes what changed, so
/// no contact costs a write.
/// </summary>
public sealed class WorkerRegistry(IOptions<WorkerOptions> options, TimeProvider time)
{
    /// <summary>How long a silent worker is remembered.</summary>
    private static readonly TimeSpan Remember = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<WorkerKey, WorkerEntry> _entries = new();
    private readonly Dictionary<string, int> _perOwner = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly DrainClock _drains = new();
    private Dictionary<(string Name, string? Credential), (int Retried, int Failed)> _lost = [];
    private int _count;
    private bool _isStopping;

    private long _since = time.GetTimestamp();

    /// <summary>For how long this process has listened, and could write and read.</summary>
    internal TimeSpan Age => time.GetElapsedTime(Volatile.Read(ref _since));

    /// <summary>The database could not be reached: contacts with other processes may not have been written either.</summary>
    internal void Restart() => Volatile.Write(ref _since, time.GetTimestamp());

    /// <summary>Records a contact.</summary>
    /// <param name="key">The worker.</param>
    /// <param name="contact">What it tells about itself; null if the request carries nothing.</param>
    /// <param name="targets">The queues that it works on; null if unknown.</param>
    /// <returns>The worker; null if too many are known.</returns>
    public WorkerEntry? Seen(WorkerKey key, WorkerContact? contact = null, IReadOnlyList<QueueTier>? targets = null)
    {
        var now = Micros.Now(time);
        if (!_entries.TryGetValue(key, out var entry) && (entry = Add(key, now)) is null)
            return null;
        entry.Touch(contact, targets, now, _drains);
        return entry;
    }

    /// <summary>A worker that waits for tasks is still there.</summary>
    public void SeenAgain(WorkerEntry worker)
    {
        ArgumentNullException.ThrowIfNull(worker);
        worker.Touch(null, null, Micros.Now(time), _drains);
    }

    /// <summary>A worker said goodbye.</summary>
    public void Stopped(WorkerKey key) => Seen(key)?.Stop();

    /// <summary>Whether a worker was asked to drain, as far as this process knows.</summary>
    public bool IsDraining(WorkerKey key) => _entries.TryGetValue(key, out var entry) && entry.IsDraining;

    /// <summary>Whether a worker that contacted this process since a time claims from a queue and tier.</summary>
    internal bool IsServed(QueueTier target, DateTime since) =>
        _entries.Any(e => e.Value.SeenAt >= since && e.Value.ClaimsFrom(target));

    /// <summary>A worker of any process was asked to drain: tell it at once if it is connected here.</summary>
    public void Drain(string id)
    {
        foreach (var (_, entry) in _entries)
        {
            if (entry.Id == id)
                entry.Drain(_drains);
        }
    }

    /// <summary>The lease of a task expired in the hands of a worker.</summary>
    internal void Lost(string name, string? credential, bool isRetried)
    {
        lock (_lock)
        {
            var known = _lost.TryGetValue((name, credential), out var counts);
            if (known || _lost.Count < options.Value.MaxWorkers)
                _lost[(name, credential)] = isRetried ? (counts.Retried + 1, counts.Failed) : (counts.Retried, counts.Failed + 1);
        }
    }

    /// <summary>A moment for <see cref="Update"/>, before restarts are written and draining workers are read.</summary>
    internal long Moment() => _drains.Next();

    /// <summary>Sets which workers drain, and forgets those that have long been silent.</summary>
    /// <param name="draining">Ids of draining workers.</param>
    /// <param name="asOf">A moment before they were read: what this process decided since then stays.</param>
    internal void Update(IReadOnlySet<string> draining, long asOf)
    {
        var before = Micros.Now(time) - Remember;
        foreach (var (key, entry) in _entries)
        {
            entry.Follow(draining.Contains(entry.Id), asOf);
            if (entry.SeenAt < before)
                Remove(key);
        }
    }

    /// <summary>The workers of this process stop with it.</summary>
    internal void StopInProcess()
    {
        _isStopping = true;
        foreach (var (_, entry) in _entries.Where(e => e.Value.IsInProcess))
            entry.Stop();
    }

    /// <summary>What changed since the last call; a mere time only if it is that much later.</summary>
    internal List<(WorkerEntry Entry, WorkerSighting Sighting)> TakeChanges(TimeSpan interval)
    {
        var changes = new List<(WorkerEntry, WorkerSighting)>();
        foreach (var (_, entry) in _entries)
        {
            if (entry.IsInProcess && !_isStopping)
                entry.Touch(null, null, Micros.Now(time), _drains); // it lives as long as the process
            if (entry.ToWrite(interval) is { } sighting)
                changes.Add((entry, sighting));
        }

        return changes;
    }

    /// <summary>Lost tasks since the last call.</summary>
    internal IReadOnlyList<LostTasks> TakeLost()
    {
        lock (_lock)
        {
            if (_lost.Count == 0)
                return [];
            var taken = _lost;
            _lost = [];
            return [.. taken.Select(l => new LostTasks(l.Key.Name, l.Key.Credential, l.Value.Retried, l.Value.Failed))];
        }
    }

    /// <summary>Lost tasks that could not be counted after all.</summary>
    internal void PutBack(IEnumerable<LostTasks> lost)
    {
        lock (_lock)
        {
            foreach (var (name, credential, retried, failed) in lost)
            {
                var (newRetried, newFailed) = _lost.GetValueOrDefault((name, credential));
                _lost[(name, credential)] = (retried + newRetried, failed + newFailed);
            }
        }
    }

    private WorkerEntry? Add(WorkerKey key, DateTime now)
    {
        if (key.Name.Length > WorkerRecord.MaxName)
            return null;
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var known))
                return known;
            var own = key.Owner is null ? 0 : _perOwner.GetValueOrDefault(key.Owner);
            if (_count >= options.Value.MaxWorkers || own >= options.Value.MaxPerTenant)
                return null;
            var entry = _entries[key] = new WorkerEntry(key, now);
            _count++;
            if (key.Owner is { } owner)
                _perOwner[owner] = own + 1;
            return entry;
        }
    }

    private void Remove(WorkerKey key)
    {
        lock (_lock)
        {
            if (!_entries.TryRemove(key, out _))
                return;
            _count--;
            if (key.Owner is { } owner && --_perOwner[owner] <= 0)
                _perOwner.Remove(owner);
        }
    }
}
