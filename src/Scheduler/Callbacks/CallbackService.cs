using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>
/// Sends due callbacks with limited concurrency, in total and per owner and receiver, so that a hanging receiver does not hold up
/// the others. Any number of processes may run it concurrently; each applies its own limits.
/// </summary>
internal sealed partial class CallbackService(
    ICallbackStore store, CallbackEvents events, CallbackSender sender, CallbackQuarantine quarantine, PostCommitNotifier postCommit,
    IOptions<WebhookOptions> options, TaskMetrics metrics, Drain drain, PollingServices services) : PollingService(services)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500), Pause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LookForOthers = TimeSpan.FromMilliseconds(100);

    /// <summary>How long tries may continue during shutdown, unless the shutdown timeout is shorter.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>Lease of a try: the request timeout plus a margin. An expired lease means that its process has ended.</summary>
    private readonly TimeSpan _lease = TimeSpan.FromSeconds(options.Value.TimeoutSeconds + 10);

    private readonly CancellationTokenSource _end = new(); // not disposed: tries may still use it
    private readonly ConcurrentDictionary<(long Id, int Attempt), CallbackSlot> _underWay = new();
    private HashSet<string> _served = []; // the owners of the last round
    private long _lookedForOthers = services.Time.GetTimestamp();

    protected override TimeSpan AfterFault => TimeSpan.FromSeconds(1);

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken) =>
        await TakeAsync() ? TimeSpan.Zero : await TimeToNextAsync();

    protected override Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken) =>
        postCommit.Callbacks.WaitAsync(wait, cancellationToken);

    protected override async Task EndAsync()
    {
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
        var now = Micros.Now(Time);
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
    /// An owner with fast receivers never reaches its limit; so that other owners do not wait behind its backlog, they are served first
    /// from time to time.
    /// </summary>
    private async Task<IReadOnlyList<Callback>> TakeOfOthersAsync(CallbackClaim claim, DateTime now)
    {
        if (_served.Count == 0 || Time.GetElapsedTime(_lookedForOthers) < LookForOthers)
            return [];
        _lookedForOthers = Time.GetTimestamp();
        return await store.TakeAsync(claim with { PassedOver = [.. _served.Union(claim.Busy.Select(b => b.Owner),
            StringComparer.Ordinal)] }, now);
    }

    private static CallbackSlot SlotOf(Callback callback) => new(callback.Owner ?? "", callback.Origin ?? "");

    private async Task TryAsync(Callback callback, Task<IReadOnlyDictionary<long, CallbackEnvelope>> envelopes)
    {
        var taken = Time.GetTimestamp();
        try
        {
            var start = Micros.Now(Time);
            try
            {
                CallbackOutcome.Note(callback, await sender.SendAsync(callback, (await envelopes)[callback.Id], _end.Token), start,
                    Micros.Now(Time));
            }
            catch (OperationCanceledException) when (_end.IsCancellationRequested)
            {
                callback.DueAt = start; // due immediately for another process
            }

            await SettleAsync(callback, taken);
        }
#pragma warning disable CA1031 // it becomes due again
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!Dependencies.TryHandle(fault))
                LogFailed(Logger, fault);
            // Immediately: its receiver may have received it, and each further try would send it again.
            if (StorageFaults.IsOfRow(fault))
                await quarantine.SetAsideAsync(callback, fault, CancellationToken.None);
        }
        finally
        {
            _underWay.TryRemove((callback.Id, callback.Attempts), out _);
            postCommit.Callbacks.Set();
        }
    }

    /// <summary>Retries while the lease lasts: a brief database outage must not cause a delivered callback to be sent again.</summary>
    private async Task SettleAsync(Callback callback, long taken)
    {
        while (true)
        {
            try
            {
                await store.SettleAsync(callback);
                metrics.Called(callback.State);
                if (callback.State == CallbackState.Failed)
                    LogGivenUp(Logger, callback.Id, callback.SubjectId);
                return;
            }
#pragma warning disable CA1031 // the next round retries
            catch (Exception fault) when (!StorageFaults.IsOfRow(fault) && Time.GetElapsedTime(taken) < _lease
                && !_end.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!Dependencies.TryHandle(fault))
                    LogFailed(Logger, fault);
            }

            await Task.Delay(AfterFault, Time, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Overdue callbacks are held by another process or limited by owner or receiver; an ending try wakes the loop.</summary>
    private async Task<TimeSpan> TimeToNextAsync()
    {
        var wait = (await store.NextCallbackAsync() ?? DateTime.MaxValue) - Time.GetUtcNow().UtcDateTime;
        // A timer may fire a millisecond early.
        return wait <= TimeSpan.Zero || wait >= LookAgain ? LookAgain : wait + Pause;
    }

    [LoggerMessage(LogLevel.Warning, "Sending callbacks failed; retrying")]
    private static partial void LogFailed(ILogger logger, Exception fault);

    [LoggerMessage(LogLevel.Warning, "Callback {Callback} of {Subject} was abandoned; see its log")]
    private static partial void LogGivenUp(ILogger logger, long callback, Guid subject);
}
