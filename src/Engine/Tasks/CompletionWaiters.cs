using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Tasks;

/// <summary>Those of this process who wait for the ends of tasks, any number for each.</summary>
public sealed class CompletionWaiters : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, List<CompletionWaiter>> _waiters = [];
    private readonly Queue<Guid> _round = new();

    /// <summary>Set when somebody begins to wait.</summary>
    internal Signal Begun { get; } = new();

    /// <inheritdoc />
    public void Dispose() => Begun.Dispose();

    /// <summary>Waits for the end of a task from now on. Register first, look at the task second, so that no end is missed.</summary>
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

    /// <summary>Whether anybody waits for a task.</summary>
    public bool IsAwaited(Guid taskId)
    {
        lock (_lock)
            return _waiters.ContainsKey(taskId);
    }

    /// <summary>Tells those who wait for a task that it has ended.</summary>
    internal void Tell(Guid taskId)
    {
        lock (_lock)
        {
            if (_waiters.TryGetValue(taskId, out var waiters))
                waiters.ForEach(w => w.Tell());
        }
    }

    /// <summary>At most so many of the tasks that are waited for; all come in turn.</summary>
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

/// <summary>One who waits; disposed when it has left.</summary>
public sealed class CompletionWaiter : IDisposable
{
    private readonly CompletionWaiters _waiters;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal CompletionWaiter(CompletionWaiters waiters, Guid taskId) => (_waiters, TaskId) = (waiters, taskId);

    internal Guid TaskId { get; }

    /// <summary>Completes when the task has ended, or is gone.</summary>
    public Task Ended => _ended.Task;

    /// <inheritdoc />
    public void Dispose() => _waiters.Leave(this);

    internal void Tell() => _ended.TrySetResult();
}

/// <summary>
/// Hears of the ends that this process commits, and looks for those of others: while anybody waits, some times a second, at
/// so many tasks that thousands who wait cost no more than a thousand.
/// </summary>
internal sealed partial class CompletionWatch(CompletionWaiters waiters, ITaskQueries queries, PostCommitNotifier postCommit,
    LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time, ILogger<CompletionWatch> logger) : BackgroundService
{
    private const int MaxLooks = 1000;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(200);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        postCommit.Ended = waiters.Tell;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (waiters.Next(MaxLooks) is { Count: > 0 } waiting)
                    (await queries.EndedAsync(waiting, stoppingToken)).ForEach(waiters.Tell);
                else
                    await IdleAsync(heartbeat, stoppingToken);
                heartbeat.Succeeded();
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                {
                    heartbeat.Failed(fault);
                    LogFailed(fault);
                }
            }

            await Task.Delay(LookAgain, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task IdleAsync(LoopHeartbeat heartbeat, CancellationToken cancellationToken)
    {
        heartbeat.Rest();
        await waiters.Begun.WaitAsync(Timeout.InfiniteTimeSpan, cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "Looking for the ends of tasks failed; trying again")]
    private partial void LogFailed(Exception fault);
}
