using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Batches;

/// <summary>
/// Finalizes batches: cancels the remaining tasks of a cancelled or expired batch, writes the files when none remain, then releases
/// the tasks to retention. Each step returns whether more work may be due immediately.
/// </summary>
internal sealed class BatchFinalizer(
    BatchService batchService, IBatchStore batchStore, BatchFileWriter writer, FileService files, TaskService tasks, QueueCatalog queues,
    IOptions<BatchLimits> limits, IOptions<EngineOptions> engine, TimeProvider time)
{
    private const int Group = 500;

    /// <summary>Expires a batch at its deadline.</summary>
    public Task<bool> ExpireAsync(BatchState batch) => ApplyAsync(new ExpireBatch(batch.CorrelationId, Micros.Now(time)));

    /// <summary>Records that no task is left to run; first cancels the tasks of a cancelled or expired batch.</summary>
    public async Task<bool> FinalizeAsync(BatchState batch, CancellationToken cancellationToken)
    {
        if (batch.State != BatchStates.InProgress)
            await CancelTasksAsync(batch, cancellationToken);
        return !await batchStore.HasLiveTasksAsync(batch.CorrelationId, cancellationToken)
            && await ApplyAsync(new FinalizeBatch(batch.CorrelationId, Micros.Now(time)));
    }

    /// <summary>
    /// Writes the files. They become valid in the moment the batch ends; the files of a scheduler that came too late are deleted.
    /// </summary>
    public async Task<bool> FinishAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var written = await writer.WriteAsync(batch, cancellationToken);
        if (await ApplyAsync(new FinishBatch(batch.CorrelationId, Micros.Now(time), written)))
            return true;
        foreach (var id in new[] { written.OutputFileId, written.ErrorFileId }.OfType<string>())
            await files.DeleteAsync(id, Access.All);
        return false;
    }

    /// <summary>Releases the tasks to the normal retention of their queue.</summary>
    public async Task<bool> ReleaseAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var keep = (await queues.FindAsync(batch.Queue))?.Settings.KeepFinishedMs is { } ms ? TimeSpan.FromMilliseconds(ms)
            : engine.Value.KeepFinished;
        await batchStore.ReleaseAsync(batch.CorrelationId, Micros.Now(time) + keep, cancellationToken);
        return false;
    }

    /// <summary>Cancels waiting tasks immediately; tasks running at cancellation may finish within the grace period.</summary>
    private async Task CancelTasksAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var graceOver = batch.CancellingAt is not { } at || at.AddSeconds(limits.Value.GraceSeconds) <= Micros.Now(time);
        while (await batchStore.LiveAsync(batch.CorrelationId, alsoRunning: graceOver, Group, cancellationToken) is { Count: > 0 } ids)
        {
            var now = Micros.Now(time);
            await tasks.ApplyAsync(ids.ConvertAll(id => new CancelTask(id, now)));
        }
    }

    private async Task<bool> ApplyAsync(BatchCommand command) => await batchService.ApplyAsync(command) == CommandResult.Applied;
}
