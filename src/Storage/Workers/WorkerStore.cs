using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Storage.Workers;

/// <summary>Table <c>workers</c> in EF Core.</summary>
internal sealed class WorkerStore(IDbContextFactory<TaskDbContext> databases, IWorkerWrites writes, TimeProvider time) : IWorkerStore
{
    /// <summary>Draining workers that are told to drain; further ones wait until some of these have stopped.</summary>
    private const int MaxDraining = 10_000;

    /// <summary>Rows that a statement changes: their locks are taken in any order, while the flush of contacts takes them by id.</summary>
    private const int Few = 20;

    public Task WriteAsync(IReadOnlyList<WorkerSighting> sightings, CancellationToken cancellationToken) =>
        writes.WriteWorkersAsync(sightings, cancellationToken);

    public async Task AddLostAsync(IReadOnlyList<LostTasks> lost, CancellationToken cancellationToken)
    {
        if (lost.Count == 0)
            return;
        DateTime? now = Micros.Now(time);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var names = lost.Select(l => l.Name).Distinct(StringComparer.Ordinal).ToList();
        var rows = await db.Workers.Where(w => names.Contains(w.Name)).Select(w => new { w.Id, w.Name, w.Credential })
            .ToListAsync(cancellationToken);
        var ids = rows.ToLookup(r => (r.Name, r.Credential), r => r.Id);
        foreach (var same in lost.GroupBy(l => (l.Retried, l.Failed))) // few: workers lose their slots at most
        {
            var (retried, failed) = same.Key;
            foreach (var some in InOrder(same.SelectMany(l => ids[(l.Name, l.Credential)])))
            {
                await db.Workers.Where(w => some.Contains(w.Id)).ExecuteUpdateAsync(
                    w => w.SetProperty(x => x.LostRetried, x => x.LostRetried + retried)
                        .SetProperty(x => x.LostFailed, x => x.LostFailed + failed)
                        .SetProperty(x => x.LostAt, now), cancellationToken);
            }
        }
    }

    public async Task<IReadOnlyList<string>> DrainingAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Workers.Where(w => w.Draining).OrderBy(w => w.Id).Select(w => w.Id).Take(MaxDraining)
            .ToListAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<WorkerRecord>> ListAsync(
        Access access, WorkerCursor? after, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = Visible(db, access);
        if (after is { StartedAt: var time, Id: var id })
            rows = rows.Where(w => w.StartedAt < time || (w.StartedAt == time && w.Id.CompareTo(id) < 0));
        return await rows.OrderByDescending(w => w.StartedAt).ThenByDescending(w => w.Id).Take(max).ToListAsync(cancellationToken);
    }

    public async Task<IReadOnlyDictionary<(string Name, string? Credential), int>> RunningAsync(
        IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        if (names.Count == 0)
            return new Dictionary<(string, string?), int>();
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var counts = await db.Running.Where(t => names.Contains(t.Worker)).GroupBy(t => new { t.Worker, t.ClaimedBy })
            .Select(g => new { g.Key.Worker, g.Key.ClaimedBy, Count = g.Count() }).ToListAsync(cancellationToken);
        return counts.ToDictionary(c => (c.Worker!, c.ClaimedBy), c => c.Count);
    }

    public async Task<WorkerRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Visible(db, access).SingleOrDefaultAsync(w => w.Id == id, cancellationToken);
    }

    public async Task<bool> DrainAsync(string id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Workers.Where(w => w.Id == id && w.State == WorkerState.Active)
            .ExecuteUpdateAsync(w => w.SetProperty(x => x.Draining, true), cancellationToken) == 1;
    }

    public async Task<int> RemoveAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Workers.Where(w => ids.Contains(w.Id)).ExecuteDeleteAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<WorkerRecord>> SilentAsync(DateTime before, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Workers.AsNoTracking().Where(w => w.State == WorkerState.Active && w.LastSeenAt < before)
            .Where(w => !db.Running.Any(t => t.Worker == w.Name && t.ClaimedBy == w.Credential))
            .OrderBy(w => w.LastSeenAt).ThenBy(w => w.Id).Take(max).ToListAsync(cancellationToken);
    }

    public async Task<int> EndAsync(
        IReadOnlyCollection<string> ids, WorkerState state, DateTime before, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ended = 0;
        foreach (var some in InOrder(ids))
        {
            var silent = db.Workers.Where(w => some.Contains(w.Id) && w.State == WorkerState.Active && w.LastSeenAt < before);
            ended += state == WorkerState.Stopped
                ? await silent.ExecuteUpdateAsync(
                    w => w.SetProperty(x => x.State, state).SetProperty(x => x.Draining, false), cancellationToken)
                : await silent.ExecuteUpdateAsync(w => w.SetProperty(x => x.State, state), cancellationToken);
        }

        return ended;
    }

    public async Task<int> RemoveOldAsync(DateTime before, int maxOfOwner, int maxOfNone, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var old = await db.Workers.Where(w => w.State != WorkerState.Active && w.LastSeenAt < before).Select(w => w.Id)
            .ToListAsync(cancellationToken);
        var removed = await RemoveEndedAsync(db, old, cancellationToken);
        var counts = await db.Workers.GroupBy(w => w.Owner).Select(g => new { Owner = g.Key, Count = g.Count() })
            .ToListAsync(cancellationToken);
        foreach (var (owner, count) in counts.Select(g => (g.Owner, g.Count)))
        {
            var surplus = count - (owner is null ? maxOfNone : maxOfOwner);
            if (surplus <= 0)
                continue;
            var ids = await db.Workers.Where(w => w.Owner == owner && w.State != WorkerState.Active)
                .OrderBy(w => w.LastSeenAt).ThenBy(w => w.Id).Select(w => w.Id).Take(surplus).ToListAsync(cancellationToken);
            removed += await RemoveEndedAsync(db, ids, cancellationToken);
        }

        return removed;
    }

    public async Task<IReadOnlyDictionary<WorkerState, int>> CountAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Workers.GroupBy(w => w.State).Select(g => new { State = g.Key, Count = g.Count() })
            .ToDictionaryAsync(g => g.State, g => g.Count, cancellationToken);
    }

    /// <summary>Removes workers unless they have come back.</summary>
    private static async Task<int> RemoveEndedAsync(TaskDbContext db, List<string> ids, CancellationToken cancellationToken)
    {
        var removed = 0;
        foreach (var some in InOrder(ids))
        {
            removed += await db.Workers.Where(w => some.Contains(w.Id) && w.State != WorkerState.Active)
                .ExecuteDeleteAsync(cancellationToken);
        }

        return removed;
    }

    private static IEnumerable<IReadOnlyCollection<string>> InOrder(IEnumerable<string> ids) =>
        ids.Order(StringComparer.Ordinal).Chunk(Few);

    /// <summary><see cref="Access.CanRead(string)"/> as a query.</summary>
    private static IQueryable<WorkerRecord> Visible(TaskDbContext db, Access access)
    {
        var rows = db.Workers.AsNoTracking();
        if (access.SeesAllTenants)
            return rows;
        var tenant = access.InQueuesOnly ? null : access.Tenant;
        return tenant is null ? rows.Where(_ => false) : rows.Where(w => w.Owner == tenant);
    }
}
