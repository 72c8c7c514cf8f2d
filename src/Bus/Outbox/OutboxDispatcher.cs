using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Dispatch;
using TaskQueue.Engine;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Outbox;

/// <summary>
/// Publishes committed events on the bus, in order for each task, at least once. Every process competes for the database's outbox lease;
/// its holder dispatches, woken by its own commits and by messages of other processes. A process whose broker is unreachable or does not
/// confirm leaves it to the others.
/// </summary>
internal sealed partial class OutboxDispatcher(
    ITaskStore store, IsolatingPublisher publisher, ConfirmTimeout confirmTimeout, PostCommitNotifier postCommit, DispatcherWake wake,
    WorkerChannels workers, ReplyAddress self, LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time,
    ILogger<OutboxDispatcher> logger)
    : BackgroundService
{
    /// <summary>Events of each partition in one read; their errors are truncated, so that a read is bounded in bytes too.</summary>
    private const int MaxRead = 500;

    /// <summary>
    /// Maximum delay of a commit whose notification was lost, and interval at which the other processes try to acquire the lease.
    /// </summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LookForBroker = TimeSpan.FromMilliseconds(100);

    /// <summary>Bounds what a dispatcher repeats when it takes over.</summary>
    private static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(1);

    /// <summary>Time to finish the current publish when the process stops: if it is abandoned, the next dispatcher repeats it.</summary>
    private static readonly TimeSpan LastPublish = TimeSpan.FromSeconds(3);

    private readonly LoopHeartbeat _heartbeat = heartbeats.Of(typeof(OutboxDispatcher));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RunAsLeaderAsync(stoppingToken);
                _heartbeat.Succeeded();
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // whatever the exception, the next try resumes at the saved offsets
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault) && !confirmTimeout.Covers(fault))
                {
                    _heartbeat.Failed(fault);
                    LogFailed(fault);
                }

                await Task.Delay(LookAgain, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task RunAsLeaderAsync(CancellationToken cancellationToken)
    {
        if (!confirmTimeout.IsConnected)
        {
            await FollowAsync(LookForBroker, cancellationToken);
            return;
        }

        var answer = await store.TryAcquireOutboxLeaseAsync(self.Name, postCommit.Events.Set, cancellationToken);
        dependencies.Database.ReportSuccess();
        if (answer.Lease is null)
        {
            await FollowAsync(LookAgain, cancellationToken, answer.Holder);
            return;
        }

        await using var lease = answer.Lease;
        await LeadAsync(lease, cancellationToken);
    }

    /// <summary>
    /// Tells the outbox dispatcher of commits for a while, then returns to let the caller try to acquire the lease.
    /// </summary>
    private async Task FollowAsync(TimeSpan length, CancellationToken cancellationToken, string? holder = null)
    {
        var begin = time.GetTimestamp();
        while (length - time.GetElapsedTime(begin) is var left && left > TimeSpan.Zero)
        {
            if (await postCommit.Events.WaitAsync(left, cancellationToken) && holder is not null)
                await wake.SendAsync(holder, cancellationToken);
        }
    }

    private async Task LeadAsync(IOutboxLease lease, CancellationToken cancellationToken)
    {
        var offsets = await store.LoadOffsetsAsync();
        publisher.Begin(offsets);
        var saved = offsets.ToArray();
        var savedAt = time.GetTimestamp();
        using var giveUp = new CancellationTokenSource();
        await using var stopping = cancellationToken.UnsafeRegister(g => ((CancellationTokenSource)g!).CancelAfter(LastPublish), giveUp);
        using var published = new CancellationTokenSource();
        var fence = CancelOnLossAsync(lease, giveUp, published.Token);
        Task<IReadOnlyList<TaskEvent>>? next = null;
        try
        {
            while (lease.IsHeld && !cancellationToken.IsCancellationRequested)
            {
                var events = await (next ?? store.ReadEventsAsync(offsets, MaxRead));
                next = null;
                if (!lease.IsHeld)
                    break; // this process was frozen meanwhile
                if (events.Count > 0)
                {
                    var read = Behind(events, offsets);
                    if (events.Count >= MaxRead) // a backlog: the next page is read meanwhile
                        next = store.ReadEventsAsync(read, MaxRead);
                    await PublishAsync(lease, events, giveUp.Token, cancellationToken);
                    offsets = read;
                }

                if (time.GetElapsedTime(savedAt) >= SaveEvery)
                {
                    await SaveAsync(lease, offsets, saved);
                    savedAt = time.GetTimestamp();
                }

                _heartbeat.Succeeded();
                if (events.Count == 0)
                    await postCommit.Events.WaitAsync(LookAgain, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (lease.Lost.IsCompleted)
        {
            // what ended it is thrown below
        }
        finally
        {
            await published.CancelAsync();
            await fence;
            if (next is not null)
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await SaveAsync(lease, offsets, saved);
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (lease.Lost.IsCompleted)
            await lease.Lost; // throws the exception that ended it
    }

    private static long[] Behind(IReadOnlyList<TaskEvent> events, long[] offsets)
    {
        var behind = offsets.ToArray();
        foreach (var e in events)
            behind[e.Partition] = e.Id;
        return behind;
    }

    /// <summary>Ends a publish that waits for the broker once another process may repeat it.</summary>
    private static async Task CancelOnLossAsync(IOutboxLease lease, CancellationTokenSource publish, CancellationToken cancellationToken)
    {
        await Task.WhenAny(lease.Lost, Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken));
        if (!cancellationToken.IsCancellationRequested)
            await publish.CancelAsync();
    }

    /// <summary>
    /// Publishes events. A full queue of a subscriber delays this, and neither a restart nor another process would help: so it is tried
    /// again here, while push tasks go on, as long as the broker answers otherwise.
    /// </summary>
    private async Task PublishAsync(
        IOutboxLease lease, IReadOnlyList<TaskEvent> events, CancellationToken giveUp, CancellationToken cancellationToken)
    {
        while (true)
        {
            _heartbeat.Rest();
            try
            {
                await publisher.PublishAsync(events, giveUp);
                return;
            }
            catch (BrokerSilentException fault) when (lease.IsHeld && !cancellationToken.IsCancellationRequested)
            {
                if (!confirmTimeout.IsConnected || !await workers.AnswersAsync() || !confirmTimeout.Covers(fault))
                    throw;
            }
            finally
            {
                _heartbeat.Beat();
            }

            await Task.Delay(LookAgain, time, giveUp);
        }
    }

    private static async Task SaveAsync(IOutboxLease lease, long[] offsets, long[] saved)
    {
        if (offsets.AsSpan().SequenceEqual(saved))
            return;
        await lease.SaveOffsetsAsync(offsets);
        offsets.CopyTo(saved, 0);
    }

    [LoggerMessage(LogLevel.Warning, "Dispatching the outbox failed; retrying")]
    private partial void LogFailed(Exception fault);
}
