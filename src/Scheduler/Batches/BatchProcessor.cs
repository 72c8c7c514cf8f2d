using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Scheduler.Batches;

/// <summary>
/// Brings batches to their ends: reads their inputs, makes their lines tasks, waits for these, writes the files. A few at once;
/// any number of processes may do it, one of them works on a batch at a time.
/// </summary>
internal sealed partial class BatchProcessor(
    IBatchStore batchStore, BatchExpander expander, BatchFinalizer finalizer, BatchQuarantine quarantine, PostCommitNotifier postCommit,
        IOptions<BatchLimits> limits, LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time,
            ILogger<BatchProcessor> logger) : BackgroundService
{
    private const int MaxAtOnce = 4;

    /// <summary>How often to look for what other processes did.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);

    /// <summary>Between two looks, however often tasks end.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>How often to look for what a process that crashed left of batches that had ended.</summary>
    private static readonly TimeSpan Tidy = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Guid, Task> _running = new();
    private readonly RepeatedFailures<Guid> _failures = new(time); // a batch that fails waits, and leaves its place to others
    private readonly Dictionary<Guid, long> _begun = []; // timestamps, of those that are due
    private bool _crowded;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        long? tidied = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (tidied is not { } at || time.GetElapsedTime(at) >= Tidy)
                {
                    Begin(await batchStore.UnreleasedAsync(stoppingToken), stoppingToken);
                    tidied = time.GetTimestamp();
                }

                Begin(await batchStore.DueAsync(TimeSpan.FromSeconds(limits.Value.GraceSeconds), stoppingToken), stoppingToken);
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

            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ((Task)postCommit.Batches.WaitAsync(LookAgain, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll(_running.Values);
    }

    private void Begin(List<Guid> ids, CancellationToken cancellationToken)
    {
        foreach (var gone in _begun.Keys.Except(ids).ToList())
            _begun.Remove(gone);
        // In turn: those that wait for something, such as their owner's quota, stay due and must not keep others from their turn.
        var more = ids.Where(id => !_running.ContainsKey(id) && !_failures.IsExcluded(id)).OrderBy(id => _begun.GetValueOrDefault(id))
            .ToList();
        _crowded = _running.Count + more.Count > MaxAtOnce;
        foreach (var id in more.Take(MaxAtOnce - _running.Count))
        {
            _begun[id] = time.GetTimestamp();
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
            // The next process goes on where this one stood.
        }
#pragma warning disable CA1031 // the next round tries again
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!dependencies.TryHandle(fault))
                LogBatchFailed(fault, BatchId.Format(id));
            // It was let go of, so nobody holds it now. What a key that is not here yet would open is not its fault.
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
        await using var lease = await BatchLease.TryAcquireAsync(batchStore, time, id);
        if (lease is null)
            return;
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lease.Lost);
        while (await StepAsync(await batchStore.GetAsync(id, both.Token), both.Token))
        {
        }
    }

    /// <returns>Whether there may be more to do at once.</returns>
    private Task<bool> StepAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var isOver = batch.State is BatchStates.Validating or BatchStates.InProgress && batch.DeadlineAt <= Micros.Now(time);
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

    [LoggerMessage(LogLevel.Warning, "Looking for batches failed; trying again")]
    private partial void LogFailed(Exception fault);

    [LoggerMessage(LogLevel.Warning, "Working on {Batch} failed; trying again")]
    private partial void LogBatchFailed(Exception fault, string batch);
}
