using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Storage.Workers;

/// <summary>Table <c>workers</c> in EF Core.</summary>
internal sealed class WorkerStore(IDbContextFactory<TaskDbContext> databases, IWorkerWrites writes) : IWorkerStore
{
    /// <summary>Draining workers that are told to drain; further ones wait until some of these have stopped.</summary>
    private const int MaxDraining = 10_000;

    public Task WriteAsync(IReadOnlyList<WorkerSighting> sightings, CancellationToken cancellationToken) =>
        writes.WriteWorkersAsync(sightings, cancellationToken);

    public async Task AddLostAsync(IReadOnlyList<LostTasks> lost, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var names = lost.Select(l => l.Name).Distinct(StringComparer.Ordinal).ToList();
        var rows = await db.Workers.Where(w => names.Contains(w.Name)).Select(w => new { w.Id, w.Name, w.Credential })
            .ToListAsync(cancellationToken);
        var ids = rows.ToLookup(r => (r.Name, r.Credential), r => r.Id);
        foreach (var same in lost.GroupBy(l => (l.Retried, l.Failed))) // few: workers lose their slots at most
        {
            var some = same.SelectMany(l => ids[(l.Name, l.Credential)]).ToList();
            await db.Workers.Where(w => some.Contains(w.Id)).ExecuteUpdateAsync(
                w => w.SetProperty(x => x.LostRetried, x => x.LostRetried + same.Key.Retried)
                    .SetProperty(x => x.LostFailed, x => x.LostFailed + same.Key.Failed), cancellationToken);
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
            .OrderBy(w => w.LastSeenAt).ThenBy(w => w.Id).Take(max).ToListAsync(cancellationToken);
    }

    public async Task<int> EndAsync(
        IReadOnlyCollection<string> ids, WorkerState state, DateTime before, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
            return 0;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var silent = db.Workers.Where(w => ids.Contains(w.Id) && w.State == WorkerState.Active && w.LastSeenAt < before);
        return state == WorkerState.Stopped
            ? await silent.ExecuteUpdateAsync(
                w => w.SetProperty(x => x.State, state).SetProperty(x => x.Draining, false), cancellationToken)
            : await silent.ExecuteUpdateAsync(w => w.SetProperty(x => x.State, state), cancellationToken);
    }

    public async Task<int> RemoveOldAsync(DateTime before, int maxOfOwner, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var removed = await db.Workers.Where(w => w.State != WorkerState.Active && w.LastSeenAt < before)
            .ExecuteDeleteAsync(cancellationToken);
        var full = await db.Workers.GroupBy(w => w.Owner).Select(g => new { Owner = g.Key, Count = g.Count() })
            .Where(g => g.Count > maxOfOwner).ToListAsync(cancellationToken);
        foreach (var (owner, count) in full.Select(g => (g.Owner, g.Count)))
        {
            var surplus = db.Workers.Where(w => w.Owner == owner).OrderBy(w => w.LastSeenAt).ThenBy(w => w.Id).Select(w => w.Id)
                .Take(count - maxOfOwner);
            removed += await db.Workers.Where(w => surplus.Contains(w.Id)).ExecuteDeleteAsync(cancellationToken);
        }

        return removed;
    }

    public async Task<IReadOnlyDictionary<WorkerState, int>> CountAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Workers.GroupBy(w => w.State).Select(g => new { State = g.Key, Count = g.Count() })
            .ToDictionaryAsync(g => g.State, g => g.Count, cancellationToken);
    }

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
