using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Batches;

/// <summary>Ends batches: cancels what is left of one that was cancelled or is over, and writes the files when nothing is left.</summary>
internal sealed class BatchCloser(
    BatchVerbs verbs, BatchQueries queries, BatchWork work, BatchFileWriter writer, FileVerbs files, TaskVerbs tasks, QueueCatalog queues,
    IOptions<BatchLimits> options, IOptions<EngineOptions> engine, TimeProvider time)
{
    private const int Group = 500;

    /// <summary>A file that could not be noted is written again: until then the tasks must stay.</summary>
    private static readonly TimeSpan KeepAtLeast = TimeSpan.FromHours(1);

    /// <summary>The deadline is over.</summary>
    /// <returns>The batch as it is then.</returns>
    public async Task<BatchState> ExpireAsync(BatchState batch)
    {
        await verbs.ApplyAsync(new ExpireBatch(batch.CorrelationId, Micros.Now(time)));
        return (await work.TakeAsync(batch.CorrelationId, renew: true))!;
    }

    /// <summary>Does what can be done now; what runs is waited for in a later round.</summary>
    public async Task CloseAsync(BatchState batch, CancellationToken stop)
    {
        if (batch.State is BatchStates.Cancelling or BatchStates.Expiring)
            await CancelTasksAsync(batch, stop);
        else if (batch.State == BatchStates.InProgress && batch.LinesDone < batch.Total)
            return;
        if (await queries.HasLiveTasksAsync(batch.CorrelationId, stop))
            return;
        await verbs.ApplyAsync(new FinalizeBatch(batch.CorrelationId, Micros.Now(time)));
        var now = (await work.TakeAsync(batch.CorrelationId, renew: true))!;
        if (now.FinalizingAt is not null && !BatchStates.IsTerminal(now.State))
            await FinishAsync(now, stop);
    }

    /// <summary>What waits goes at once; what runs may end within the grace period, as after a deadline nothing may.</summary>
    private async Task CancelTasksAsync(BatchState batch, CancellationToken stop)
    {
        var isOver = batch.CancellingAt is not { } at || at.AddSeconds(options.Value.GraceSeconds) <= Micros.Now(time);
        while (await work.LiveAsync(batch.CorrelationId, alsoRunning: isOver, Group) is { Count: > 0 } ids)
        {
            stop.ThrowIfCancellationRequested();
            await tasks.ApplyAsync(ids.ConvertAll(id => new CancelTask(id, Micros.Now(time))));
            await work.TakeAsync(batch.CorrelationId, renew: true);
        }
    }

    private async Task FinishAsync(BatchState batch, CancellationToken stop)
    {
        var written = await writer.WriteAsync(batch, stop);
        var keep = (await queues.FindAsync(batch.Queue))?.Settings.KeepFinishedMs is { } ms ? TimeSpan.FromMilliseconds(ms) : engine.Value.KeepFinished;
        var now = Micros.Now(time);
        await work.ReleaseAsync(batch.CorrelationId, now + (keep > KeepAtLeast ? keep : KeepAtLeast));
        if (await verbs.ApplyAsync(new FinishBatch(batch.CorrelationId, now, written)) == Verdict.Applied)
            return;
        foreach (var id in new[] { written.OutputFileId, written.ErrorFileId }.OfType<string>())
            await files.DeleteAsync(id, owner: null);
    }
}
