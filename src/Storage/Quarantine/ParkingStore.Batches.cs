using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Quarantine;

namespace TaskQueue.Storage.Quarantine;

/// <summary>Parks rows of batches.</summary>
internal sealed partial class ParkingStore
{
    public Task<bool> ParkBatchAsync(QuarantinedItem item, Guid id, DateTime now, CancellationToken cancellationToken) =>
        quarantine.AddAsync(
        item,
        async db =>
        {
            var batch = db.Batches.Where(b => b.CorrelationId == id);
            if (await batch.Select(b => new { b.Queue, b.Owner }).SingleOrDefaultAsync(cancellationToken) is not { } found)
                return false;
            (item.Queue, item.Owner) = (found.Queue, found.Owner);
            return await batch.Where(b => b.WorkedUntil == null || b.WorkedUntil < now)
                .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, ParkedTimes.Never), cancellationToken) > 0;
        },
        cancellationToken);

    public async Task<bool> UnparkBatchAsync(Guid id, DateTime heldUntil, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Batches.Where(b => b.CorrelationId == id && b.WorkedUntil == ParkedTimes.Never)
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, heldUntil), cancellationToken) > 0;
    }

    public async Task<bool> FailBatchAsync(Guid id, string errors, DateTime now, DateTime heldUntil, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var held = db.Batches.Where(b => b.CorrelationId == id && b.WorkedUntil == ParkedTimes.Never);
        // For a batch that has ended only the mark is cleared, so that its tasks are released.
        if (await held.Where(b => b.State >= BatchStates.Completed)
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, heldUntil), cancellationToken) > 0)
            return false;
        return await held.Where(b => b.State < BatchStates.Completed).ExecuteUpdateAsync(
            b => b.SetProperty(x => x.State, BatchStates.Failed).SetProperty(x => x.FinishedAt, now).SetProperty(x => x.Errors, errors)
                .SetProperty(x => x.WorkedUntil, heldUntil).SetProperty(x => x.Version, x => x.Version + 1),
            cancellationToken) > 0;
    }
}
