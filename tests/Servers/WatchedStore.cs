using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Servers;

/// <summary>A wrapper of a real store: counts, holds groups back, and fails on request.</summary>
internal sealed class WatchedStore(ITaskStore inner) : ITaskStore, IAsyncDisposable
{
    private TaskCompletionSource _open = Opened();
    private int _waiting;
    private int _idleClaims;

    /// <summary>Rows of every save that committed: inserts and updates.</summary>
    public List<(int Inserts, int Updates)> Saves { get; } = [];

    /// <summary>Attempted saves.</summary>
    public int Tries { get; private set; }

    /// <summary>Sweep queries for overdue tasks.</summary>
    public int Looks { get; private set; }

    /// <summary>Workers that found nothing and therefore asked when to poll again.</summary>
    public int IdleClaims => Volatile.Read(ref _idleClaims);

    /// <summary>Makes a save fail before it is written.</summary>
    public Func<IEnumerable<TaskState>, Exception?>? Fault { get; set; }

    /// <summary>How many groups wait at the closed gate.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>From now on groups wait at the gate.</summary>
    public void Close() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open() => _open.TrySetResult();

    public async Task<ITaskSession> BeginAsync()
    {
        Interlocked.Increment(ref _waiting);
        await _open.Task;
        Interlocked.Decrement(ref _waiting);
        return new Session(this, await inner.BeginAsync());
    }

    public Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max)
    {
        Looks++;
        return inner.SelectAsync(sweep, now, max);
    }

    public Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null) =>
        inner.InsertAsync(tasks, step);

    public Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now) =>
        inner.ClaimAsync(request, rules, now);

    public Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules,
        DateTime now) =>
        inner.ClaimTogetherAsync(requests, rules, now);

    public Task FollowClockAsync(DateTime now) => inner.FollowClockAsync(now);

    public Task UnlockAsync(QueueTier tier) => inner.UnlockAsync(tier);

    public void NoteWaiting(QueueTier target, DateTime? firstDue) => inner.NoteWaiting(target, firstDue);

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now)
    {
        Interlocked.Increment(ref _idleClaims);
        return inner.NextDueAsync(targets, now);
    }

    public Task<DateTime?> NextAsync(Sweep sweep, DateTime now, TimeSpan ahead) => inner.NextAsync(sweep, now, ahead);

    public Task RedispatchAllAsync(DateTime now) => inner.RedispatchAllAsync(now);

    public Task<OutboxLeaseAnswer> TryAcquireOutboxLeaseAsync(string address, Action wake, CancellationToken cancellationToken) =>
        inner.TryAcquireOutboxLeaseAsync(address, wake, cancellationToken);

    public Task<long[]> LoadOffsetsAsync() => inner.LoadOffsetsAsync();

    public Task<long[]> LoadFailoverOffsetsAsync() => inner.LoadFailoverOffsetsAsync();

    public Task<long[]> EndOfEventsAsync() => inner.EndOfEventsAsync();

    public Task<int> RemovePublishedAsync(DateTime before, int max) => inner.RemovePublishedAsync(before, max);

    public Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max) => inner.ReadEventsAsync(cursors, max);

    public Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes) =>
        inner.ReadForDispatchAsync(ids, maxBytes);

    public ValueTask DisposeAsync() => inner is IAsyncDisposable disposable ? disposable.DisposeAsync() : ValueTask.CompletedTask;

    private static TaskCompletionSource Opened()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }

    private sealed class Session(WatchedStore store, ITaskSession session) : ITaskSession
    {
        public Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids) => session.LoadAsync(ids);

        public Task<Dictionary<Guid, string>> LoadPayloadsAsync(IReadOnlyList<Guid> ids) => session.LoadPayloadsAsync(ids);

        public async Task<IReadOnlySet<Guid>> SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            store.Tries++;
            if (store.Fault?.Invoke(inserts.Concat(updates)) is { } fault)
                throw fault;
            var missed = await session.SaveAsync(inserts, updates);
            lock (store.Saves)
                store.Saves.Add((inserts.Count, updates.Count - missed.Count));
            return missed;
        }

        public ValueTask DisposeAsync() => session.DisposeAsync();
    }
}
