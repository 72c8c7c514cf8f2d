using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Batches;

/// <summary>
/// Processes batches: reads inputs, creates tasks, waits for them, writes the files. Several batches run concurrently; any number
/// of processes may take part, and one process at a time holds a batch.
/// </summary>
internal sealed partial class BatchProcessor(
    IBatchStore batchStore, BatchExpander expander, BatchFinalizer finalizer, BatchQuarantine quarantine, PostCommitNotifier postCommit,
    IOptions<BatchLimits> limits, PollingServices services) : PollingService(services)
{
    private const int MaxAtOnce = 4;

    /// <summary>Interval of polling for changes made by other processes.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);

    /// <summary>Minimum interval between polls, however often tasks end.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Interval of cleaning up ended batches that a crashed process left behind.</summary>
    private static readonly TimeSpan Tidy = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Guid, Task> _running = new();
    private readonly RepeatedFailures<Guid> _failures = new(services.Time); // a failing batch backs off and yields its slot
    private readonly Dictionary<Guid, long> _begun = []; // timestamps of due batches
    private bool _crowded;
    private long? _tidied;

    protected override TimeSpan AfterFault => LookAgain;

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        if (_tidied is not { } at || Time.GetElapsedTime(at) >= Tidy)
        {
            Begin(await batchStore.UnreleasedAsync(cancellationToken), cancellationToken);
            _tidied = Time.GetTimestamp();
        }

        Begin(await batchStore.DueAsync(TimeSpan.FromSeconds(limits.Value.GraceSeconds), cancellationToken), cancellationToken);
        return LookAgain;
    }

    protected override async Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        await Task.Delay(Pause, Time, cancellationToken);
        await postCommit.Batches.WaitAsync(wait, cancellationToken);
    }

    protected override Task EndAsync() => Task.WhenAll(_running.Values);

    private void Begin(List<Guid> ids, CancellationToken cancellationToken)
    {
        foreach (var gone in _begun.Keys.Except(ids).ToList())
            _begun.Remove(gone);
        // Round robin: batches that wait, for example for their owner's quota, stay due and must not starve the others.
        var more = ids.Where(id => !_running.ContainsKey(id) && !_failures.IsExcluded(id)).OrderBy(id => _begun.GetValueOrDefault(id))
            .ToList();
        _crowded = _running.Count + more.Count > MaxAtOnce;
        foreach (var id in more.Take(MaxAtOnce - _running.Count))
        {
            _begun[id] = Time.GetTimestamp();
            _running[id] = Task.Run(() => RunAsync(id, cancellationToken), CancellationToken.None);
        }
    }

    private async Task RunAsync(Guid id, CancellationToken cancellationToken)
    {
        try
        {
            await WorkAsync(id, cancellationToken);
            _failures.Succeeded(id);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The next process resumes from here.
        }
#pragma warning disable CA1031 // the next round retries
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!Dependencies.TryHandle(fault))
                LogBatchFailed(Logger, fault, BatchId.Format(id));
            // The lease was released, so no process holds it now. A missing decryption key is not the batch's fault.
            if (StorageFaults.IsOfRow(fault) && fault.GetBaseException() is not UnreadableDataException && _failures.Failed(id)
                && await quarantine.SetAsideAsync(id, fault, cancellationToken) is null)
                _failures.Succeeded(id);
        }
        finally
        {
            _running.TryRemove(id, out _);
            if (_crowded)
                postCommit.Batches.Set();
        }
    }

    private async Task WorkAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var lease = await BatchLease.TryAcquireAsync(batchStore, Time, id);
        if (lease is null)
            return;
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lease.Lost);
        while (await StepAsync(await batchStore.GetAsync(id, both.Token), both.Token))
        {
        }
    }

    /// <returns>Whether more work may be due immediately.</returns>
    private Task<bool> StepAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var isOver = batch.State is BatchStates.Validating or BatchStates.InProgress && batch.DeadlineAt <= Micros.Now(Time);
        return batch.State switch
        {
            _ when isOver => finalizer.ExpireAsync(batch),
            BatchStates.Validating => expander.ValidateAsync(batch, cancellationToken),
            BatchStates.InProgress when batch.LinesDone < batch.Total => expander.SplitAsync(batch, cancellationToken),
            _ when BatchStates.IsTerminal(batch.State) => finalizer.ReleaseAsync(batch, cancellationToken),
            _ when batch.FinalizingAt is null => finalizer.FinalizeAsync(batch, cancellationToken),
            _ => finalizer.FinishAsync(batch, cancellationToken),
        };
    }

    [LoggerMessage(LogLevel.Warning, "Processing {Batch} failed; retrying")]
    private static partial void LogBatchFailed(ILogger logger, Exception fault, string batch);
}
