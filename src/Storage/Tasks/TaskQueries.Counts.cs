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
        var tasks = access.Filter(db.Tasks.AsNoTracking());
        var counts = db.Set<QueueCount>().AsNoTracking();
        if (only is { } tier)
        {
            tasks = tasks.Where(t => t.Queue == tier.Queue && t.Tier == tier.Tier);
            counts = counts.Where(c => c.Queue == tier.Queue && c.Tier == tier.Tier);
        }

        var waiting = await CountAsync(TaskLists.Waiting(tasks), cancellationToken);
        var blocked = await CountAsync(TaskLists.Blocked(tasks), cancellationToken);
        var running = await CountAsync(TaskLists.Running(tasks), cancellationToken);
        var completed = access.SeesAllTenants ? await SumAsync(counts.Where(c => c.Type == TaskEventType.Completed), cancellationToken)
            : await CountAsync(tasks.Where(t => t.State == TaskStates.Completed), cancellationToken);
        var ended = access.SeesAllTenants ? await SumAsync(counts, cancellationToken) : await CountAsync(Ended(tasks), cancellationToken);
        return
        [
            .. waiting.Keys.Concat(blocked.Keys).Concat(running.Keys).Concat(ended.Keys).Distinct().Select(at => new TierStats(
                at, waiting.GetValueOrDefault(at) + blocked.GetValueOrDefault(at), running.GetValueOrDefault(at),
                completed.GetValueOrDefault(at), ended.GetValueOrDefault(at))),
        ];
    }

    public async Task<QueueStats> QueueStatsAsync(string queue, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var now = Micros.Now(time);
        var tasks = Tasks(db, access).Where(t => t.Queue == queue);
        var waiting = TaskLists.Waiting(tasks);
        return new QueueStats(
            await waiting.LongCountAsync(cancellationToken) + await TaskLists.Blocked(tasks).LongCountAsync(cancellationToken),
            await TaskLists.Running(tasks).LongCountAsync(cancellationToken),
            await tasks.LongCountAsync(t => t.Dead, cancellationToken),
            await tasks.LongCountAsync(t => t.State == TaskStates.Completed, cancellationToken),
            await tasks.LongCountAsync(t => t.State == TaskStates.Expired, cancellationToken),
            await waiting.Where(t => t.DueAt <= now && (t.ExpiresAt == null || t.ExpiresAt > now))
                .MinAsync(t => (DateTime?)t.DueAt, cancellationToken));
    }

    public async Task<List<string>> QueuesAsync(Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var tasks = Tasks(db, access);
        return await tasks.Where(t => t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying)
            .Select(t => t.Queue).Distinct().ToListAsync(cancellationToken);
    }

    private static IQueryable<TaskState> Ended(IQueryable<TaskState> tasks) =>
        tasks.Where(t => t.State == TaskStates.Completed || t.State == TaskStates.Failed || t.State == TaskStates.Cancelled
            || t.State == TaskStates.Expired);

    private static Task<Dictionary<QueueTier, long>> SumAsync(IQueryable<QueueCount> counts, CancellationToken cancellationToken) =>
        counts.GroupBy(c => new { c.Queue, c.Tier }).Select(g => new { g.Key, Count = g.Sum(c => c.Count) })
            .ToDictionaryAsync(g => new QueueTier(g.Key.Queue, g.Key.Tier), g => g.Count, cancellationToken);

    private static Task<Dictionary<QueueTier, long>> CountAsync(IQueryable<TaskState> tasks, CancellationToken cancellationToken) =>
        tasks.GroupBy(t => new { t.Queue, t.Tier }).Select(g => new { g.Key, Count = g.LongCount() })
            .ToDictionaryAsync(g => new QueueTier(g.Key.Queue, g.Key.Tier), g => g.Count, cancellationToken);
}
