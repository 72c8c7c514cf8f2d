using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Batches;

/// <summary>Reads of batches.</summary>
internal sealed class BatchQueries(IDbContextFactory<TaskDbContext> databases) : IBatchQueries
{
    public async Task<BatchState?> FindAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await Visible(db, access).SingleOrDefaultAsync(b => b.CorrelationId == id, cancellationToken));
    }

    public async Task<List<BatchState>> ListAsync(Access access, BatchState? after, int max, CancellationToken cancellationToken,
        string? queue = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var batches = Visible(db, access);
        if (queue is not null)
            batches = batches.Where(b => b.Queue == queue);
        if (after is not null)
            batches = batches.Where(b => b.CreatedAt < after.CreatedAt
                || (b.CreatedAt == after.CreatedAt && b.CorrelationId < after.CorrelationId));
        return db.Open(await batches.OrderByDescending(b => b.CreatedAt).ThenByDescending(b => b.CorrelationId).Take(max)
            .ToListAsync(cancellationToken));
    }

    public async Task<IReadOnlyDictionary<Guid, BatchProgress>> ProgressAsync(
        IReadOnlyList<BatchState> batches, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batches);
        var live = batches.Where(b => !BatchStates.IsTerminal(b.State)).Select(b => b.CorrelationId).ToList();
        var ends = new Dictionary<Guid, Dictionary<BatchItemOutcome, int>>();
        if (live.Count > 0)
        {
            await using var db = await databases.CreateDbContextAsync(cancellationToken);
            var counts = await db.BatchCounts.Where(c => live.Contains(c.BatchId)).GroupBy(c => new { c.BatchId, c.End })
                .Select(g => new { g.Key.BatchId, g.Key.End, Count = g.Sum(c => c.Count) }).ToListAsync(cancellationToken);
            ends = counts.GroupBy(c => c.BatchId).ToDictionary(g => g.Key, g => g.ToDictionary(c => c.End, c => c.Count));
        }

        return batches.ToDictionary(b => b.CorrelationId,
            b => BatchStates.IsTerminal(b.State) ? BatchProgress.Of(b)
                : BatchProgress.Of(b, ends.GetValueOrDefault(b.CorrelationId) ?? []));
    }

    public async Task<List<BatchStatus>> StatusesAsync(IReadOnlyCollection<Guid> ids)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Batches.AsNoTracking().Where(b => ids.Contains(b.CorrelationId))
            .Select(b => new BatchStatus(b.CorrelationId, b.Owner, b.State)).ToListAsync();
    }

    private static IQueryable<BatchState> Visible(TaskDbContext db, Access access) => access.Filter(db.Batches.AsNoTracking());
}
