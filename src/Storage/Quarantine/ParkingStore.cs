using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Quarantine;

/// <summary>Parks rows of callbacks and schedules, and reads events and owners.</summary>
internal sealed partial class ParkingStore(IDbContextFactory<TaskDbContext> databases, QuarantineStore quarantine) : IParkingStore
{
    public Task<bool> ParkCallbackAsync(QuarantinedItem item, Callback callback, CancellationToken cancellationToken) =>
        quarantine.AddAsync(item, async db =>
        {
            var (id, attempts) = (callback.Id, callback.Attempts); // another process may have claimed it since
            var subject = callback.SubjectId;
            var task = await db.Tasks.Where(t => t.CorrelationId == subject).Select(t => new { t.Queue, t.Owner })
                .FirstOrDefaultAsync(cancellationToken)
                ?? await db.Batches.Where(b => b.CorrelationId == subject).Select(b => new { b.Queue, b.Owner })
                    .FirstOrDefaultAsync(cancellationToken);
            (item.Queue, item.Owner) = (task?.Queue, task?.Owner ?? item.Owner);
            return await db.Callbacks.Where(c => c.Id == id && c.State == CallbackState.Waiting && c.Attempts == attempts)
                .ExecuteUpdateAsync(
                    c => c.SetProperty(x => x.State, CallbackState.Failed).SetProperty(x => x.FinishedAt, (DateTime?)null),
                    cancellationToken) > 0;
        }, cancellationToken);

    public async Task<bool> UnparkCallbackAsync(long id, DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Callbacks.Where(c => c.Id == id && c.State == CallbackState.Failed).ExecuteUpdateAsync(
            c => c.SetProperty(x => x.State, CallbackState.Waiting).SetProperty(x => x.DueAt, now).SetProperty(x => x.Log, "[]")
                .SetProperty(x => x.FinishedAt, (DateTime?)null),
            cancellationToken) > 0;
    }

    public async Task EndCallbackAsync(long id, DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.Callbacks.Where(c => c.Id == id && c.State == CallbackState.Failed && c.FinishedAt == null)
            .ExecuteUpdateAsync(c => c.SetProperty(x => x.FinishedAt, now), cancellationToken);
    }

    public Task<bool> ParkScheduleAsync(QuarantinedItem item, int id, DateTime? tick, CancellationToken cancellationToken) =>
        quarantine.AddAsync(
            item,
            async db => await db.Schedules.Where(s => s.Id == id && s.NextAt == tick)
                .ExecuteUpdateAsync(s => s.SetProperty(x => x.NextAt, (DateTime?)null), cancellationToken) > 0,
            cancellationToken);

    public async Task<ScheduleRecord?> FindScheduleAsync(int id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Schedules.AsNoTracking().SingleOrDefaultAsync(s => s.Id == id, cancellationToken);
    }

    public async Task UnparkScheduleAsync(ScheduleRecord schedule, DateTime? next, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.Schedules.Where(s => s.Id == schedule.Id && s.NextAt == null && s.Version == schedule.Version)
            .ExecuteUpdateAsync(s => s.SetProperty(x => x.NextAt, next), cancellationToken);
    }

    public async Task<TaskEvent?> FindEventAsync(int partition, long id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var number = OutboxRows.RowOf(id);
        var row = await db.Outbox.AsNoTracking().SingleOrDefaultAsync(o => o.Partition == partition && o.Id == number, cancellationToken);
        return row is null ? null : db.Open(OutboxRows.Unpack(row).FirstOrDefault(e => e.Id == id));
    }

    public async Task<string?> OwnerOfTaskAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Tasks.Where(t => t.CorrelationId == id).Select(t => t.Owner).FirstOrDefaultAsync(cancellationToken);
    }
}
