using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Quarantine;

/// <summary>Parks rows of tasks.</summary>
internal sealed partial class ParkingStore
{
    public Task<bool> ParkTaskAsync(QuarantinedItem item, Sweep sweep, Guid id, CancellationToken cancellationToken) =>
        quarantine.AddAsync(item, db => ParkAsync(db, sweep, id, item, cancellationToken), cancellationToken);

    public async Task<bool> IsTaskParkedAsync(string kind, Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var waiting = db.Ready.Where(t => t.CorrelationId == id);
        return await (kind switch
        {
            QuarantineKinds.Lease => db.Running.Where(t => t.CorrelationId == id && t.LeaseUntil == null),
            QuarantineKinds.Dispatch => waiting.Where(t => t.DispatchAt == null),
            _ => waiting.Where(t => t.ExpiresAt == null && t.DueAt == ParkedTimes.Never),
        }).AnyAsync(cancellationToken);
    }

    public async Task<bool> UnparkTaskAsync(string kind, Guid id, ParkedTimes times, DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var waiting = db.Ready.Where(t => t.CorrelationId == id);
        return await (kind switch
        {
            QuarantineKinds.Lease => db.Running.Where(t => t.CorrelationId == id && t.LeaseUntil == null)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.LeaseUntil, now), cancellationToken),
            QuarantineKinds.Dispatch =>
                waiting.Where(t => t.DispatchAt == null).ExecuteUpdateAsync(t => t.SetProperty(x => x.DispatchAt, now), cancellationToken),
            _ => waiting.Where(t => t.ExpiresAt == null).ExecuteUpdateAsync(
                t => t.SetProperty(x => x.ExpiresAt, times.ExpiresAt).SetProperty(x => x.DueAt, times.DueAt ?? now)
                    .SetProperty(x => x.DispatchAt, times.DispatchAt), cancellationToken),
        }) > 0;
    }

    public async Task RedispatchAsync(IReadOnlyCollection<Guid> tasks, DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.Ready.Where(t => tasks.Contains(t.CorrelationId) && t.DispatchAt > now)
            .ExecuteUpdateAsync(t => t.SetProperty(x => x.DispatchAt, now), cancellationToken);
    }

    public async Task StripTaskAsync(Guid id, string error, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.Submitted.Where(t => t.CorrelationId == id).ExecuteUpdateAsync(
            t => t.SetProperty(x => x.CompletionActions, (string?)null).SetProperty(x => x.Retry, (string?)null), cancellationToken);
        foreach (var live in (IQueryable<TaskState>[])[db.Ready, db.Running])
        {
            await live.Where(t => t.CorrelationId == id).ExecuteUpdateAsync(
                t => t.SetProperty(x => x.CompletionActions, (string?)null).SetProperty(x => x.Retry, (string?)null)
                    .SetProperty(x => x.Progress, (string?)null).SetProperty(x => x.Error, error),
                cancellationToken);
        }

        await db.Outcomes.Where(t => t.CorrelationId == id).ExecuteUpdateAsync(
            t => t.SetProperty(x => x.Result, (string?)null).SetProperty(x => x.Progress, (string?)null).SetProperty(x => x.Error, error),
            cancellationToken);
    }

    private static async Task<bool> ParkAsync(TaskDbContext db, Sweep sweep, Guid id, QuarantinedItem item,
        CancellationToken cancellationToken)
    {
        var task = db.Tasks.Where(t => t.CorrelationId == id);
        if (await task.Select(t => new { t.Queue, t.Owner, t.LeaseUntil, t.DispatchAt, t.ExpiresAt, t.DueAt })
            .SingleOrDefaultAsync(cancellationToken) is not { } now)
            return false;
        (item.Queue, item.Owner) = (now.Queue, now.Owner);
        var waiting = db.Ready.Where(t => t.CorrelationId == id);
        item.State = new ParkedTimes(now.LeaseUntil, now.DispatchAt, now.ExpiresAt, now.DueAt).ToText();
        return await (sweep switch
        {
            Sweep.ExpiredLease => db.Running.Where(t => t.CorrelationId == id && t.LeaseUntil != null && t.LeaseUntil == now.LeaseUntil)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.LeaseUntil, (DateTime?)null), cancellationToken),
            Sweep.Dispatch => waiting.Where(t => t.DispatchAt != null && t.DispatchAt == now.DispatchAt)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.DispatchAt, (DateTime?)null), cancellationToken),
            // A task that no longer expires must not be started.
            _ => waiting.Where(t => t.ExpiresAt != null && t.ExpiresAt == now.ExpiresAt)
                .ExecuteUpdateAsync(
                    t => t.SetProperty(x => x.ExpiresAt, (DateTime?)null).SetProperty(x => x.DueAt, ParkedTimes.Never)
                        .SetProperty(x => x.DispatchAt, (DateTime?)null), cancellationToken),
        }) > 0;
    }
}
