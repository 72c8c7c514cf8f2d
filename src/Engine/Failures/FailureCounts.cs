namespace TaskQueue.Engine.Failures;

/// <summary>Failures of a group that are not written yet.</summary>
internal sealed class PendingGroup(FailureKey key)
{
    /// <summary>Samples kept of a group.</summary>
    public const int MaxSamples = 5;

    private readonly Queue<FailureSample> _samples = new(MaxSamples);
    private readonly Queue<FailedWorker> _workers = new(MaxSamples);

    /// <summary>What its failures have in common.</summary>
    public FailureKey Key { get; } = key;

    /// <summary>Id of the group.</summary>
    public Guid Id { get; } = FailureFingerprint.IdOf(key);

    public long Count { get; private set; }

    public DateTime FirstSeenAt { get; private set; } = DateTime.MaxValue;

    public DateTime LastSeenAt { get; private set; } = DateTime.MinValue;

    /// <summary>The newest failures, oldest first.</summary>
    public IReadOnlyCollection<FailureSample> Samples => _samples;

    /// <summary>The newest different workers of its failures, oldest first.</summary>
    public IReadOnlyCollection<FailedWorker> Workers => _workers;

    /// <summary>Notes who failed.</summary>
    public void Note(FailedWorker worker)
    {
        if (_workers.Contains(worker))
            return;
        if (_workers.Count == MaxSamples)
            _workers.Dequeue();
        _workers.Enqueue(worker);
    }

    /// <summary>Counts failures.</summary>
    public void Add(long count, DateTime first, DateTime last)
    {
        Count += count;
        FirstSeenAt = first < FirstSeenAt ? first : FirstSeenAt;
        LastSeenAt = last > LastSeenAt ? last : LastSeenAt;
    }

    /// <summary>Keeps a sample; returns the one it replaces.</summary>
    public FailureSample? Keep(FailureSample sample)
    {
        var replaced = _samples.Count == MaxSamples ? _samples.Dequeue() : null;
        _samples.Enqueue(sample);
        return replaced;
    }

    /// <summary>Adds the failures of another group.</summary>
    public void Add(PendingGroup other)
    {
        Add(other.Count, other.FirstSeenAt, other.LastSeenAt);
        foreach (var sample in other.Samples)
            Keep(sample);
        foreach (var worker in other.Workers)
            Note(worker);
    }
}

/// <summary>Who ran a failed attempt; its version is in the list of workers.</summary>
/// <param name="Name">Name of the worker.</param>
/// <param name="Credential">Credential of its claim.</param>
internal readonly record struct FailedWorker(string Name, string? Credential);

/// <summary>A failed attempt.</summary>
/// <param name="Owner">Owner of its task.</param>
/// <param name="Queue">Base name of its queue.</param>
/// <param name="Name">Name of its task.</param>
/// <param name="Kind">Whether its worker was lost.</param>
/// <param name="ErrorType">Type of the error.</param>
/// <param name="Sample">The error itself.</param>
internal sealed record Failure(string? Owner, string Queue, string? Name, FailureKind Kind, string? ErrorType, FailureSample Sample)
{
    /// <summary>Who ran it, or null.</summary>
    public FailedWorker? Worker { get; init; }
}

/// <summary>Counts the failures of this process until they are written; bounded, whatever the workers report.</summary>
internal sealed class FailureCounts
{
    /// <summary>Groups in memory, in all and of one owner; what comes beyond is counted in groups of other failures.</summary>
    internal const int MaxGroups = 2000, MaxGroupsOfOwner = 200;

    /// <summary>Characters of samples in memory; beyond it failures are counted without samples.</summary>
    private const int MaxSampleChars = 2 * 1024 * 1024;

    private const int MaxErrorChars = 4096;

    /// <summary>Failures that wait to be grouped, and their characters; what comes beyond is counted in groups of other failures.</summary>
    internal const int MaxWaiting = 20_000, MaxWaitingChars = 4 * 1024 * 1024;

    private const string CrashMessage = "the worker was lost: no heartbeat within the lease";

    private readonly Lock _lock = new();
    private Dictionary<FailureKey, PendingGroup> _groups = [];
    private Dictionary<string, int> _owners = new(StringComparer.Ordinal);
    private long _chars;
    private List<(Failure Failure, bool IsSample)> _waiting = [];
    private long _waitingChars;

    /// <summary>Counts a failure; it is grouped later, because that takes time, and the caller holds up others.</summary>
    public void Add(Failure failure)
    {
        failure.Sample.Error = TextRules.Cut(failure.Sample.Error, MaxErrorChars);
        lock (_lock)
        {
            var chars = CharsOf(failure.Sample);
            var isSample = _waitingChars + chars <= MaxSampleChars;
            if (!isSample)
            {
                failure.Sample.Error = TextRules.Cut(failure.Sample.Error, FailureFingerprint.MaxInput);
                failure.Sample.Stack = null;
                chars = CharsOf(failure.Sample);
            }

            if (_waiting.Count >= MaxWaiting || _waitingChars + chars > MaxWaitingChars)
            {
                GroupOf(FailureKey.Other(failure.Kind, failure.Owner)).Add(1, failure.Sample.At, failure.Sample.At);
                return;
            }

            _waitingChars += chars;
            _waiting.Add((failure, isSample));
        }
    }

    /// <summary>Groups what waits and takes all groups, to be written.</summary>
    public IReadOnlyList<PendingGroup> Take()
    {
        List<(Failure Failure, bool IsSample)> waiting;
        lock (_lock)
        {
            (waiting, _waiting, _waitingChars) = (_waiting, [], 0);
        }

        var keys = waiting.ConvertAll(w => KeyOf(w.Failure)); // outside the lock
        lock (_lock)
        {
            for (var i = 0; i < waiting.Count; i++)
            {
                var (failure, isSample) = waiting[i];
                var group = GroupOf(keys[i]);
                group.Add(1, failure.Sample.At, failure.Sample.At);
                if (failure.Worker is { } worker)
                    group.Note(worker);
                if (isSample)
                    KeepSample(group, failure.Sample);
            }

            if (_groups.Count == 0)
                return [];
            IReadOnlyList<PendingGroup> taken = [.. _groups.Values];
            (_groups, _owners, _chars) = ([], new(StringComparer.Ordinal), 0);
            return taken;
        }
    }

    /// <summary>Counts groups again that could not be written.</summary>
    public void PutBack(IReadOnlyList<PendingGroup> groups)
    {
        lock (_lock)
        {
            foreach (var group in groups)
            {
                var target = GroupOf(group.Key);
                target.Add(group.Count, group.FirstSeenAt, group.LastSeenAt);
                foreach (var worker in group.Workers)
                    target.Note(worker);
                foreach (var sample in group.Samples)
                    KeepSample(target, sample);
            }
        }
    }

    private static FailureKey KeyOf(Failure failure) =>
        new(failure.Kind, failure.Owner, failure.Queue, failure.Name, failure.ErrorType,
            failure.Kind == FailureKind.Crash ? CrashMessage : FailureFingerprint.Normalise(failure.Sample.Error));

    private PendingGroup GroupOf(FailureKey key)
    {
        if (_groups.TryGetValue(key, out var known))
            return known;
        var owner = key.Owner ?? "";
        var ofOwner = _owners.GetValueOrDefault(owner);
        if (key.Message != FailureKey.OtherMessage)
        {
            if (_groups.Count >= MaxGroups)
                return GroupOf(FailureKey.Other(key.Kind, _groups.Count >= 2 * MaxGroups ? null : key.Owner));
            if (ofOwner >= MaxGroupsOfOwner)
                return GroupOf(FailureKey.Other(key.Kind, key.Owner));
        }
        else if (key.Owner is not null && _groups.Count >= 2 * MaxGroups)
        {
            return GroupOf(FailureKey.Other(key.Kind, null));
        }

        _owners[owner] = ofOwner + 1;
        return _groups[key] = new PendingGroup(key);
    }

    private void KeepSample(PendingGroup group, FailureSample sample)
    {
        var chars = CharsOf(sample);
        if (_chars + chars > MaxSampleChars)
            return;
        _chars += chars;
        if (group.Keep(sample) is { } replaced)
            _chars -= CharsOf(replaced);
    }

    private static int CharsOf(FailureSample sample) => sample.Error.Length + (sample.Stack?.Length ?? 0) + 100;
}
