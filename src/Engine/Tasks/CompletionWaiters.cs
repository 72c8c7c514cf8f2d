using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;

namespace TaskQueue.Engine.Tasks;

/// <summary>Waiters of this process for the completion of tasks, any number for each task.</summary>
public sealed class CompletionWaiters : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, List<CompletionWaiter>> _waiters = [];
    private readonly Queue<Guid> _round = new();

    /// <summary>Set when a waiter registers.</summary>
    internal Signal Begun { get; } = new();

    /// <inheritdoc />
    public void Dispose() => Begun.Dispose();

    /// <summary>Registers a waiter for a task. Register before reading the task, so that no completion is missed.</summary>
    public CompletionWaiter Register(Guid taskId)
    {
        var waiter = new CompletionWaiter(this, taskId);
        lock (_lock)
        {
            if (!_waiters.TryGetValue(taskId, out var waiters))
                _waiters.Add(taskId, waiters = []);
            waiters.Add(waiter);
        }

        Begun.Set();
        return waiter;
    }

    /// <summary>Whether any waiter is registered for a task.</summary>
    public bool IsAwaited(Guid taskId)
    {
        lock (_lock)
            return _waiters.ContainsKey(taskId);
    }

    /// <summary>Notifies the waiters of a task that it has ended.</summary>
    internal void Tell(Guid taskId)
    {
        lock (_lock)
        {
            if (_waiters.TryGetValue(taskId, out var waiters))
                waiters.ForEach(w => w.Tell());
        }
    }

    /// <summary>Up to <paramref name="max"/> awaited tasks, in rotation.</summary>
    internal List<Guid> Next(int max)
    {
        var ids = new List<Guid>();
        lock (_lock)
        {
            if (_round.Count == 0)
            {
                foreach (var id in _waiters.Keys)
                    _round.Enqueue(id);
            }

            while (ids.Count < max && _round.TryDequeue(out var id))
            {
                if (_waiters.ContainsKey(id))
                    ids.Add(id);
            }
        }

        return ids;
    }

    internal void Leave(CompletionWaiter waiter)
    {
        lock (_lock)
        {
            if (_waiters.TryGetValue(waiter.TaskId, out var waiters) && waiters.Remove(waiter) && waiters.Count == 0)
                _waiters.Remove(waiter.TaskId);
        }
    }
}

/// <summary>A waiter for a task; dispose it to unregister.</summary>
public sealed class CompletionWaiter : IDisposable
{
    private readonly CompletionWaiters _waiters;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal CompletionWaiter(CompletionWaiters waiters, Guid taskId) => (_waiters, TaskId) = (waiters, taskId);

    internal Guid TaskId { get; }

    /// <summary>Completes when the task has ended or is gone.</summary>
    public Task Ended => _ended.Task;

    /// <inheritdoc />
    public void Dispose() => _waiters.Leave(this);

    internal void Tell() => _ended.TrySetResult();
}

/// <summary>
/// Observes the completions that this process commits, and polls for those of other processes: a few times a second while there are
/// waiters, for a bounded number of tasks, so that thousands of waiters cost no more than a thousand.
/// </summary>
internal sealed class CompletionWatch(
    CompletionWaiters waiters, ITaskQueries queries, PostCommitNotifier postCommit, PollingServices services)
    : PollingService(services)
{
    private const int MaxLooks = 1000;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(200);

    protected override TimeSpan AfterFault => LookAgain;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        postCommit.Ended = waiters.Tell;
        return base.StartAsync(cancellationToken);
    }

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        if (waiters.Next(MaxLooks) is not { Count: > 0 } waiting)
            return Timeout.InfiniteTimeSpan;
        (await queries.EndedAsync(waiting, cancellationToken)).ForEach(waiters.Tell);
        return LookAgain;
    }

    /// <summary>A caller may register before its task is committed: such a task must not be looked for at once.</summary>
    protected override async Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        if (wait == Timeout.InfiniteTimeSpan)
            await waiters.Begun.WaitAsync(wait, cancellationToken);
        await base.WaitAsync(LookAgain, cancellationToken);
    }
}
