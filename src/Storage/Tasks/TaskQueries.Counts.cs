using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Tasks;

/// <summary>Counts of tasks.</summary>
internal sealed partial class TaskQueries
{
    public async Task<List<TierStats>> TierStatsAsync(QueueTier? only, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var (waiting, running) = (access.Filter(db.Ready.AsNoTracking()), access.Filter(db.Running.AsNoTracking()));
        var counts = access.Filter(db.Set<QueueCount>().AsNoTracking());
        if (only is { } tier)
        {
            waiting = waiting.Where(t => t.Queue == tier.Queue && t.Tier == tier.Tier);
            running = running.Where(t => t.Queue == tier.Queue && t.Tier == tier.Tier);
            counts = counts.Where(c => c.Queue == tier.Queue && c.Tier == tier.Tier);
        }

        var claimable = await CountAsync(TaskLists.Claimable(waiting), cancellationToken);
        var blocked = await CountAsync(TaskLists.Blocked(waiting), cancellationToken);
        var runs = await CountAsync(running, cancellationToken);
        var completed = await SumAsync(counts.Where(c => c.Type == TaskEventType.Completed), cancellationToken);
        var ends = await SumAsync(counts, cancellationToken);
        return
        [
            .. claimable.Keys.Concat(blocked.Keys).Concat(runs.Keys).Concat(ends.Keys).Distinct().Select(at => new TierStats(
                at, claimable.GetValueOrDefault(at) + blocked.GetValueOrDefault(at), runs.GetValueOrDefault(at),
                completed.GetValueOrDefault(at), ends.GetValueOrDefault(at))),
        ];
    }

    public async Task<QueueStats> QueueStatsAsync(string queue, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var now = Micros.Now(time);
        var waiting = access.Filter(db.Ready.AsNoTracking()).Where(t => t.Queue == queue);
        var claimable = TaskLists.Claimable(waiting);
        var dead = access.Filter(db.Outcomes.AsNoTracking())
            .Where(t => t.Queue == queue && t.Dead && (t.DeleteAt == null || t.DeleteAt > now));
        // Counters, not rows: finished tasks are kept, and may be many.
        var ended = access.Filter(db.Set<QueueCount>().AsNoTracking()).Where(c => c.Queue == queue);
        return new QueueStats(
            await claimable.LongCountAsync(cancellationToken)
                + await TaskLists.Blocked(waiting).LongCountAsync(cancellationToken),
            await access.Filter(db.Running.AsNoTracking()).LongCountAsync(t => t.Queue == queue, cancellationToken),
            await dead.LongCountAsync(cancellationToken),
            await ended.Where(c => c.Type == TaskEventType.Completed).SumAsync(c => c.Count, cancellationToken),
            await ended.Where(c => c.Type == TaskEventType.Expired).SumAsync(c => c.Count, cancellationToken),
            await claimable.Where(t => t.DueAt <= now && (t.ExpiresAt == null || t.ExpiresAt > now))
                .MinAsync(t => (DateTime?)t.DueAt, cancellationToken));
    }

    public async Task<long> LaterAsync(string queue, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var now = Micros.Now(time);
        return await TaskLists.Claimable(access.Filter(db.Ready.AsNoTracking()).Where(t => t.Queue == queue))
            .LongCountAsync(t => t.DueAt > now, cancellationToken);
    }

    public async Task<List<string>> QueuesAsync(Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await access.Filter(db.Ready.AsNoTracking()).Select(t => t.Queue)
            .Union(access.Filter(db.Running.AsNoTracking()).Select(t => t.Queue)).ToListAsync(cancellationToken);
    }

    public async Task<List<string>> EndedQueuesAsync(Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await access.Filter(db.Set<QueueCount>().AsNoTracking()).Select(c => c.Queue).Distinct().ToListAsync(cancellationToken);
    }

    public async Task<bool> IsEndedQueueAsync(string queue, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await access.Filter(db.Set<QueueCount>().AsNoTracking()).AnyAsync(c => c.Queue == queue, cancellationToken);
    }

    private static Task<Dictionary<QueueTier, long>> SumAsync(IQueryable<QueueCount> counts, CancellationToken cancellationToken) =>
        counts.GroupBy(c => new { c.Queue, c.Tier }).Select(g => new { g.Key, Count = g.Sum(c => c.Count) })
            .ToDictionaryAsync(g => new QueueTier(g.Key.Queue, g.Key.Tier), g => g.Count, cancellationToken);

    private static Task<Dictionary<QueueTier, long>> CountAsync(IQueryable<TaskState> tasks, CancellationToken cancellationToken) =>
        tasks.GroupBy(t => new { t.Queue, t.Tier }).Select(g => new { g.Key, Count = g.LongCount() })
            .ToDictionaryAsync(g => new QueueTier(g.Key.Queue, g.Key.Tier), g => g.Count, cancellationToken);
}
