using System.Collections.Concurrent;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>Wakes long polls when work for their queues arrives in this process or, through the bus, in another.</summary>
public sealed class WorkNotifier(TimeProvider time)
{
    // By queue, then by tier; the inner dictionaries are accessed under the lock only.
    private readonly ConcurrentDictionary<string, Dictionary<int, List<Waiter>>> _waiters = new();
    private readonly Lock _lock = new();

    /// <summary>Called for every task with a known later due time: the scheduler sets its timer by it.</summary>
    public Action<DateTime>? DueLater { get; set; }

    /// <summary>
    /// Notifies of a waiting task. If it is due, one waiter is woken, or the next one if that has left; if it is due later, all are woken
    /// to set their timers.
    /// </summary>
    public void Notify(QueueTier target, DateTime due)
    {
        var later = due > time.GetUtcNow().UtcDateTime;
        if (later)
            DueLater?.Invoke(due);
        if (!_waiters.TryGetValue(target.Queue, out var tiers))
            return;
        lock (_lock)
        {
            if (tiers.TryGetValue(target.Tier, out var waiters))
                Wake(waiters, all: later);
        }
    }

    /// <summary>Notifies of a released ordering key or capacity, which may benefit any tier: one waiter of each is woken.</summary>
    public void NotifyTiers(string queue)
    {
        if (!_waiters.TryGetValue(queue, out var tiers))
            return;
        lock (_lock)
        {
            foreach (var waiters in tiers.Values)
                Wake(waiters, all: false);
        }
    }

    /// <summary>Wakes all waiters of a queue whose settings changed.</summary>
    public void NotifyAll(string queue)
    {
        if (!_waiters.TryGetValue(queue, out var tiers))
            return;
        lock (_lock)
        {
            foreach (var waiters in tiers.Values)
                Wake(waiters, all: true);
        }
    }

    /// <summary>Notifies of waiting tasks from another process.</summary>
    public void Notify(AvailableWork arrival)
    {
        var target = new QueueTier(arrival.Queue, arrival.Tier);
        for (var i = 0; i < arrival.Due && _waiters.ContainsKey(target.Queue); i++)
            Notify(target, DateTime.MinValue);
        for (var i = 0; i < arrival.Freed && _waiters.ContainsKey(target.Queue); i++)
            NotifyTiers(target.Queue);
        if (arrival.NextDue is { } due)
            Notify(target, due);
    }

    private static void Wake(List<Waiter> waiters, bool all)
    {
        foreach (var waiter in waiters)
        {
            if (waiter.Wake() && !all)
                return;
        }
    }

    /// <summary>Registers a waiter for the targets. Register before looking for work, so that no notification is missed.</summary>
    public Waiter Register(IReadOnlyList<QueueTier> targets)
    {
        var waiter = new Waiter(this, targets);
        lock (_lock)
        {
            foreach (var target in targets)
            {
                var tiers = _waiters.GetOrAdd(target.Queue, _ => []);
                if (!tiers.TryGetValue(target.Tier, out var waiters))
                    tiers.Add(target.Tier, waiters = []);
                waiters.Add(waiter);
            }
        }

        return waiter;
    }

    private void Leave(Waiter waiter)
    {
        lock (_lock)
        {
            foreach (var target in waiter.Targets)
            {
                if (!_waiters.TryGetValue(target.Queue, out var tiers) || !tiers.TryGetValue(target.Tier, out var waiters))
                    continue;
                if (waiters.Remove(waiter) && waiters.Count == 0 && tiers.Remove(target.Tier) && tiers.Count == 0)
                    _waiters.TryRemove(target.Queue, out _);
            }
        }
    }

    /// <summary>A long poll.</summary>
    public sealed class Waiter : IDisposable
    {
        private readonly WorkNotifier _workNotifier;
        private readonly TaskCompletionSource _rung = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private bool _heard;

        internal Waiter(WorkNotifier workNotifier, IReadOnlyList<QueueTier> targets)
        {
            _workNotifier = workNotifier;
            Targets = targets;
        }

        internal IReadOnlyList<QueueTier> Targets { get; }

        /// <summary>Waits for a notification; false on timeout.</summary>
        public async Task<bool> WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
        {
            try
            {
                await _rung.Task.WaitAsync(wait, _workNotifier.Clock, cancellationToken);
                return _heard = true;
            }
            catch (TimeoutException)
            {
                return false;
            }
        }

        /// <summary>Unregisters the waiter; a notification that arrived too late for it is passed on.</summary>
        public void Dispose()
        {
            _workNotifier.Leave(this);
            if (_rung.Task.IsCompleted && !_heard)
            {
                foreach (var target in Targets)
                    _workNotifier.Notify(target, DateTime.MinValue);
            }
        }

        internal bool Wake() => _rung.TrySetResult();
    }

    private TimeProvider Clock => time;
}
