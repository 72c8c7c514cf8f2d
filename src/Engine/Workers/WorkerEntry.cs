using System.Security.Cryptography;
using System.Text;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Workers;

/// <summary>A worker as this process knows it.</summary>
public sealed class WorkerEntry
{
    /// <summary>Queues of a worker that are written.</summary>
    internal const int MaxQueues = 100;

    private readonly Lock _lock = new();
    private readonly WorkerKey _key;
    private WorkerContact? _contact;
    private IReadOnlyList<QueueTier>? _targets;
    private DateTime _startedAt, _writtenAt;
    private long _seenAt; // ticks
    private bool _isChanged = true, _hasStopped;
    private int _isTold;
    private long _decidedAt; // when it was asked to drain, or restarted, in this process

    internal WorkerEntry(WorkerKey key, DateTime now)
    {
        (_key, _startedAt, _seenAt) = (key, now, now.Ticks);
        Id = IdOf(key);
    }

    /// <summary>See <see cref="WorkerRecord.Id"/>.</summary>
    public string Id { get; }

    /// <summary>Whether it was asked to finish its tasks and claim no more.</summary>
    public bool IsDraining { get; private set; }

    internal WorkerKey Key => _key;

    internal DateTime SeenAt => new(Volatile.Read(ref _seenAt), DateTimeKind.Utc);

    internal bool IsInProcess => Volatile.Read(ref _contact) is { Transport: WorkerContact.InProcess };

    /// <summary>Notes that an answer of this process tells the worker to drain.</summary>
    /// <returns>Whether it is the first one.</returns>
    public bool TellFirst() => Interlocked.Exchange(ref _isTold, 1) == 0;

    internal void Touch(WorkerContact? contact, IReadOnlyList<QueueTier>? targets, DateTime now, DrainClock drains)
    {
        Volatile.Write(ref _seenAt, now.Ticks);
        if ((contact is null || ReferenceEquals(contact, _contact)) && !_hasStopped
            && (targets is null || ReferenceEquals(targets, _targets)))
            return;
        lock (_lock)
        {
            if (contact is not null && contact != _contact)
            {
                if (_contact is null)
                    _startedAt = now; // what was seen before are reports, maybe of an earlier start
                else if (contact.Instance != _contact.Instance)
                    (_startedAt, IsDraining, _isTold, _decidedAt) = (now, false, 0, drains.Next());
                (_contact, _isChanged) = (contact, true);
            }

            if (targets is not null && !AreSame(targets, _targets))
                (_targets, _isChanged) = (targets, true);
            if (_hasStopped)
                (_hasStopped, _isChanged, _startedAt, IsDraining, _isTold, _decidedAt) = (false, true, now, false, 0, drains.Next());
        }
    }

    /// <summary>A worker on the bus does not say which queues it consumes, but has reported on a task of this one.</summary>
    internal void WorksOn(string? queue)
    {
        if (queue is null || Volatile.Read(ref _contact) is not { Transport: WorkerContact.Bus or WorkerContact.InProcess })
            return;
        lock (_lock)
        {
            var known = _targets ?? [];
            if (known.Count < MaxQueues && known.All(t => t.Queue != queue))
                (_targets, _isChanged) = ([.. known, new QueueTier(queue, 0)], true);
        }
    }

    internal bool ClaimsFrom(QueueTier target)
    {
        lock (_lock)
            return !_hasStopped && !IsDraining && _targets?.Contains(target) == true;
    }

    internal void Stop()
    {
        lock (_lock)
            (_hasStopped, _isChanged) = (true, true);
    }

    /// <summary>It was asked to drain just now.</summary>
    internal void Drain(DrainClock drains)
    {
        lock (_lock)
            (IsDraining, _decidedAt) = (true, drains.Next());
    }

    /// <summary>Sets what the database said; a later decision of this process, which that may not have contained, stays.</summary>
    internal void Follow(bool isDraining, long asOf)
    {
        lock (_lock)
        {
            if (_decidedAt > asOf || IsDraining == isDraining)
                return;
            (IsDraining, _isTold) = (isDraining, isDraining ? _isTold : 0);
        }
    }

    /// <summary>What to write, or null: a time alone is written rarely.</summary>
    internal WorkerSighting? ToWrite(TimeSpan interval)
    {
        lock (_lock)
        {
            var seen = SeenAt;
            if (!_isChanged && seen < _writtenAt + interval)
                return null;
            (_isChanged, _writtenAt) = (false, seen);
            return new WorkerSighting(Id, _key, _contact, Queues(), _startedAt, seen, _hasStopped);
        }
    }

    /// <summary>The last write failed.</summary>
    internal void Unwritten()
    {
        lock (_lock)
            _isChanged = true;
    }

    /// <summary>Some workers claim from their queues in turns.</summary>
    private static bool AreSame(IReadOnlyList<QueueTier> targets, IReadOnlyList<QueueTier>? known) =>
        known is not null && known.Count == targets.Count && (known.SequenceEqual(targets) || targets.All(known.Contains));

    private string? Queues() =>
        _targets is null ? null
        : string.Join(' ', _targets.Take(MaxQueues).Select(t => t.Tier == 0 ? t.Queue : $"{t.Queue}:{t.Tier}"));

    private static string IdOf(WorkerKey key)
    {
        var text = $"{Part(key.Owner)}{Part(key.Credential)}{key.Name}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));

        static string Part(string? part) => part is null ? "-\n" : $"+{part}\n"; // no part has control characters
    }
}
