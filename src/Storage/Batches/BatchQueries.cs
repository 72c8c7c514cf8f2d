using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Batches;

/// <summary>Reads of batches.</summary>
internal sealed class BatchQueries(IDbContextFactory<TaskDbContext> databases) : IBatchQueries
{
    /// <summary>Running items that are asked what they wait for.</summary>
    private const int MaxLooks = 20;

    public async Task<BatchState?> FindAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await Visible(db, access).SingleOrDefaultAsync(b => b.CorrelationId == id, cancellationToken));
    }

    public async Task<BatchState?> FindByRequestAsync(string requestKey, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await db.Batches.AsNoTracking().SingleOrDefaultAsync(b => b.RequestKey == requestKey, cancellationToken));
    }

    public async Task<BatchState?> FindTwinAsync(string inputFileId, string endpoint, DateTime since, Access access,
        CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await Visible(db, access).Where(b => b.CreatedAt >= since && b.InputFileId == inputFileId && b.Endpoint == endpoint)
            .OrderByDescending(b => b.CreatedAt).FirstOrDefaultAsync(cancellationToken));
    }

    public async Task<string?> WaitingForAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var some = await db.Running.AsNoTracking().Where(t => t.BatchId == id && t.Progress != null).Take(MaxLooks)
            .ToListAsync(cancellationToken);
        return db.Open(some).Select(t => t.Progress).FirstOrDefault(p => p != "null");
    }

    public async Task<List<BatchLane>> LanesAsync(string queue, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var lanes = await db.Batches.AsNoTracking().Where(b => b.State < BatchStates.Completed && b.Queue == queue)
            .Select(b => new { b.Owner, b.Tier }).Distinct().ToListAsync(cancellationToken);
        return lanes.ConvertAll(l => new BatchLane(l.Owner, l.Tier));
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
