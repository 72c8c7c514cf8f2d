using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Tasks;

/// <summary>Counts of tasks.</summary>
internal sealed partial class TaskQueries
{
    public async Task<List<LevelStats>> LevelStatsAsync(QueueLevel? only, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var tasks = access.Filter(db.Tasks.AsNoTracking());
        var counts = db.Set<QueueCount>().AsNoTracking();
        if (only is { } level)
        {
            tasks = tasks.Where(t => t.Queue == level.Queue && t.Level == level.Level);
            counts = counts.Where(c => c.Queue == level.Queue && c.Level == level.Level);
        }

        var waiting = await CountAsync(TaskLists.Waiting(tasks), cancellationToken);
        var held = await CountAsync(TaskLists.Held(tasks), cancellationToken);
        var running = await CountAsync(TaskLists.Running(tasks), cancellationToken);
        var completed = access.SeesAllTenants ? await SumAsync(counts.Where(c => c.Type == TaskEventType.Completed), cancellationToken)
            : await CountAsync(tasks.Where(t => t.State == TaskStates.Completed), cancellationToken);
        var ended = access.SeesAllTenants ? await SumAsync(counts, cancellationToken) : await CountAsync(Ended(tasks), cancellationToken);
        return
        [
            .. waiting.Keys.Concat(held.Keys).Concat(running.Keys).Concat(ended.Keys).Distinct().Select(at => new LevelStats(
                at, waiting.GetValueOrDefault(at) + held.GetValueOrDefault(at), running.GetValueOrDefault(at),
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
            await waiting.LongCountAsync(cancellationToken) + await TaskLists.Held(tasks).LongCountAsync(cancellationToken),
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

    private static Task<Dictionary<QueueLevel, long>> SumAsync(IQueryable<QueueCount> counts, CancellationToken cancellationToken) =>
        counts.GroupBy(c => new { c.Queue, c.Level }).Select(g => new { g.Key, Count = g.Sum(c => c.Count) })
            .ToDictionaryAsync(g => new QueueLevel(g.Key.Queue, g.Key.Level), g => g.Count, cancellationToken);

    private static Task<Dictionary<QueueLevel, long>> CountAsync(IQueryable<TaskState> tasks, CancellationToken cancellationToken) =>
        tasks.GroupBy(t => new { t.Queue, t.Level }).Select(g => new { g.Key, Count = g.LongCount() })
            .ToDictionaryAsync(g => new QueueLevel(g.Key.Queue, g.Key.Level), g => g.Count, cancellationToken);
}
