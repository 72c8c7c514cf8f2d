using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Scheduler.Batches;

/// <summary>
/// Brings batches to their ends: reads their inputs, makes their lines tasks, waits for these, writes the files. A few at once;
/// any number of processes may do it, one of them works on a batch at a time.
/// </summary>
internal sealed partial class BatchService(
    BatchQueries queries, BatchWork work, BatchSplitter splitter, BatchCloser closer, CommitSignals signals, TimeProvider time, ILogger<BatchService> logger) : BackgroundService
{
    private const int MaxAtOnce = 4;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500), Pause = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<Guid, Task> _running = new();
    private readonly SemaphoreSlim _places = new(MaxAtOnce); // not disposed: what is under way still comes to release it

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                foreach (var batch in await queries.LiveAsync(stoppingToken))
                    Begin(batch, stoppingToken);
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                LogFailed(fault);
            }

            await ((Task)signals.Batches.WaitAsync(LookAgain, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // ends come in swarms
        }

        await Task.WhenAll(_running.Values);
    }

    private void Begin(BatchState batch, CancellationToken stop)
    {
        if (!_running.ContainsKey(batch.CorrelationId))
            _running[batch.CorrelationId] = Task.Run(() => RunAsync(batch.CorrelationId, stop), CancellationToken.None);
    }

    private async Task RunAsync(Guid id, CancellationToken stop)
    {
        await _places.WaitAsync(CancellationToken.None); // first come, first served: batches that only wait must not keep out the others
        try
        {
            if (stop.IsCancellationRequested || await work.TakeAsync(id, renew: false) is not { } batch)
                return;
            try
            {
                await StepAsync(batch, stop);
            }
            finally
            {
                await work.LeaveAsync(id);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The next process goes on where this one stood.
        }
#pragma warning disable CA1031 // the next round tries again
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogBatchFailed(fault, id);
        }
        finally
        {
            _running.TryRemove(id, out _);
            _places.Release();
        }
    }

    private async Task StepAsync(BatchState batch, CancellationToken stop)
    {
        if (batch.State is BatchStates.Validating or BatchStates.InProgress && batch.DeadlineAt <= Micros.Now(time))
            batch = await closer.ExpireAsync(batch);
        if (batch.State == BatchStates.Validating)
            batch = await splitter.ValidateAsync(batch, stop);
        if (batch.State == BatchStates.InProgress && batch.LinesDone < batch.Total)
            batch = await splitter.SplitAsync(batch, stop);
        if (!BatchStates.IsTerminal(batch.State))
            await closer.CloseAsync(batch, stop);
    }

    [LoggerMessage(LogLevel.Warning, "Looking for batches failed; trying again")]
    private partial void LogFailed(Exception fault);

    [LoggerMessage(LogLevel.Warning, "Working on batch {Batch} failed; trying again")]
    private partial void LogBatchFailed(Exception fault, Guid batch);
}
