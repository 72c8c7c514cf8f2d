using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Engine;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>
/// Sends callbacks that are due, a limited number at once, and only a few of one owner and of one receiver: one that hangs does
/// not hold up the others. Any number of processes may do it at once; each counts its own.
/// </summary>
internal sealed partial class CallbackService(
    ICallbackStore store, CallbackEvents events, CallbackSender sender, CallbackQuarantine quarantine, PostCommitNotifier postCommit,
        IOptions<WebhookOptions> options,
    TaskMetrics metrics, Drain drain, LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time,
        ILogger<CallbackService> logger) : BackgroundService
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500), Pause = TimeSpan.FromMilliseconds(5),
        AfterFault = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LookForOthers = TimeSpan.FromMilliseconds(100);

    /// <summary>How long tries may go on when the process stops, where its patience ends no sooner.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>A try that is not settled so long after its own time was over is given up: its process has ended.</summary>
    private readonly TimeSpan _lease = TimeSpan.FromSeconds(options.Value.TimeoutSeconds + 10);

    private readonly CancellationTokenSource _end = new(); // not disposed: tries may still look at it
    private readonly ConcurrentDictionary<(long Id, int Attempt), CallbackSlot> _underWay = new();
    private HashSet<string> _served = []; // the owners of the last round
    private long _lookedForOthers = time.GetTimestamp();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = AfterFault;
            try
            {
                wait = await TakeAsync() ? TimeSpan.Zero : await TimeToNextAsync();
                heartbeat.Succeeded();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                {
                    heartbeat.Failed(fault);
                    LogFailed(fault);
                }
            }

            await ((Task)postCommit.Callbacks.WaitAsync(wait, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _end.CancelAfter(Grace);
        await using var over = drain.Over.UnsafeRegister(e => ((CancellationTokenSource)e!).Cancel(), _end);
        while (!_underWay.IsEmpty)
            await postCommit.Callbacks.WaitAsync(LookAgain, CancellationToken.None);
    }

    /// <returns>Whether there were any.</returns>
    private async Task<bool> TakeAsync()
    {
        CallbackSlot[] busy = [.. _underWay.Values];
        if (busy.Length >= options.Value.Concurrency)
            return false;
        var now = Micros.Now(time);
        var claim = new CallbackClaim(now + _lease, options.Value.Concurrency - busy.Length, options.Value.Limits, busy);
        var taken = await TakeOfOthersAsync(claim, now);
        if (taken.Count == 0)
            taken = await store.TakeAsync(claim, now);
        if (taken.Count == 0)
            return false;
        _served = [.. taken.Select(c => SlotOf(c).Owner)];
        var envelopes = events.OfAsync(taken);
        foreach (var callback in taken)
        {
            _underWay[(callback.Id, callback.Attempts)] = SlotOf(callback);
            _ = TryAsync(callback, envelopes);
        }

        return true;
    }

    /// <summary>
    /// An owner whose receivers are quick never has all it may; so that others do not wait behind its backlog, they have their turn
    /// first now and then.
    /// </summary>
    private async Task<IReadOnlyList<Callback>> TakeOfOthersAsync(CallbackClaim claim, DateTime now)
    {
        if (_served.Count == 0 || time.GetElapsedTime(_lookedForOthers) < LookForOthers)
            return [];
        _lookedForOthers = time.GetTimestamp();
        return await store.TakeAsync(claim with { PassedOver = [.. _served.Union(claim.Busy.Select(b => b.Owner),
            StringComparer.Ordinal)] }, now);
    }

    private static CallbackSlot SlotOf(Callback callback) => new(callback.Owner ?? "", callback.Origin ?? "");

    private async Task TryAsync(Callback callback, Task<IReadOnlyDictionary<long, CallbackEnvelope>> envelopes)
    {
        var taken = time.GetTimestamp();
        try
        {
            var start = Micros.Now(time);
            try
            {
                CallbackOutcome.Note(callback, await sender.SendAsync(callback, (await envelopes)[callback.Id], _end.Token), start,
                    Micros.Now(time));
            }
            catch (OperationCanceledException) when (_end.IsCancellationRequested)
            {
                callback.DueAt = start; // for another process, at once
            }

            await SettleAsync(callback, taken);
        }
#pragma warning disable CA1031 // it falls due again
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!dependencies.TryHandle(fault))
                LogFailed(fault);
            // At once: its receiver may have it, and each further try would send it again.
            if (StorageFaults.IsOfRow(fault))
                await quarantine.SetAsideAsync(callback, fault, CancellationToken.None);
        }
        finally
        {
            _underWay.TryRemove((callback.Id, callback.Attempts), out _);
            postCommit.Callbacks.Set();
        }
    }

    /// <summary>
    /// While the callback is ours: what the receiver got must not be sent again because the database was away for a moment.
    /// </summary>
    private async Task SettleAsync(Callback callback, long taken)
    {
        while (true)
        {
            try
            {
                await store.SettleAsync(callback);
                metrics.Called(callback.State);
                if (callback.State == CallbackState.Failed)
                    LogGivenUp(callback.Id, callback.SubjectId);
                return;
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!StorageFaults.IsOfRow(fault) && time.GetElapsedTime(taken) < _lease
                && !_end.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                    LogFailed(fault);
            }

            await Task.Delay(AfterFault, time, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>What is overdue is another's, or of an owner or receiver that has enough; a try that ends tells us.</summary>
    private async Task<TimeSpan> TimeToNextAsync()
    {
        var wait = (await store.NextCallbackAsync() ?? DateTime.MaxValue) - time.GetUtcNow().UtcDateTime;
        // A timer may fire a millisecond early.
        return wait <= TimeSpan.Zero || wait >= LookAgain ? LookAgain : wait + Pause;
    }

    [LoggerMessage(LogLevel.Warning, "Sending callbacks failed; trying again")]
    private partial void LogFailed(Exception fault);

    [LoggerMessage(LogLevel.Warning, "Callback {Callback} of {Subject} was given up; its log says why")]
    private partial void LogGivenUp(long callback, Guid subject);
}
