using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Tasks;

/// <summary>Which tasks of a queue a list shows, and in which order.</summary>
public enum TaskList
{
    /// <summary>Those that wait, run or are dead letters, by id.</summary>
    Live,

    /// <summary>Those that wait, of a thread only the next one, by due time.</summary>
    Waiting,

    /// <summary>Those that run, by the end of their lease.</summary>
    Running,

    /// <summary>The dead letters, the oldest death first.</summary>
    Dead,
}

/// <summary>A place in a list: behind this task.</summary>
/// <param name="At">The time that the list goes by; the Unix epoch for <see cref="TaskList.Live"/>.</param>
/// <param name="Id">The task.</param>
public sealed record TaskCursor(DateTime At, Guid Id)
{
    /// <summary>The place of a task in a list.</summary>
    public static TaskCursor Of(TaskList list, TaskState task) =>
        new(list switch
        {
            TaskList.Waiting => task.DueAt,
            TaskList.Running => task.LeaseUntil ?? DateTime.UnixEpoch,
            TaskList.Dead => task.FinishedAt ?? DateTime.UnixEpoch,
            _ => DateTime.UnixEpoch,
        }, task.CorrelationId);
}

/// <summary>What a level of a queue holds.</summary>
/// <param name="At">Queue and level.</param>
/// <param name="Waiting">Tasks that wait to run, due or not.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Completed">Tasks that ever completed, since the last purge.</param>
/// <param name="Ended">Tasks that ever ended, since the last purge.</param>
public sealed record LevelStats(QueueLevel At, long Waiting, long Running, long Completed, long Ended);

/// <summary>Reads of tasks; nothing here changes anything. Tasks that are gone are not seen, though their rows may still be there, nor those that the caller may not see.</summary>
public sealed class TaskQueries(IDbContextFactory<TaskDbContext> databases, TimeProvider time)
{
    /// <summary>One task, or null.</summary>
    public async Task<TaskState?> FindAsync(Guid id, Access access, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        return db.Open(await Tasks(db, access).SingleOrDefaultAsync(t => t.CorrelationId == id, stop));
    }

    /// <summary>Those of the tasks that exist, in no order.</summary>
    public async Task<List<TaskState>> FindManyAsync(IReadOnlyList<Guid> ids, Access access, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        return db.Open(await Tasks(db, access).Where(t => ids.Contains(t.CorrelationId)).ToListAsync(stop));
    }

    /// <summary>Whose the tasks are, and of which queue: rows with nothing else. Tasks that are gone are missing.</summary>
    public async Task<Dictionary<Guid, TaskState>> OwnersAsync(IReadOnlyCollection<Guid> ids, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        return await Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId)).Select(t => new TaskState { CorrelationId = t.CorrelationId, Owner = t.Owner, Queue = t.Queue })
            .ToDictionaryAsync(t => t.CorrelationId, stop);
    }

    /// <summary>Those of the tasks that have ended or are gone.</summary>
    public async Task<List<Guid>> EndedAsync(IReadOnlyList<Guid> ids, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        var open = await Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId) && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying))
            .Select(t => t.CorrelationId).ToListAsync(stop);
        return [.. ids.Except(open)];
    }

    /// <summary>The newest tasks, all or of one state.</summary>
    public async Task<List<TaskState>> NewestAsync(int? state, int max, Access access, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        var tasks = Tasks(db, access);
        if (state is { } wanted)
            tasks = tasks.Where(t => t.State == EF.Constant(wanted)); // a partial index is only used for a state that the planner sees
        return db.Open(await tasks.OrderByDescending(t => t.CorrelationId).Take(max).ToListAsync(stop));
    }

    /// <summary>A page of a queue's tasks.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="list">Which, and in which order.</param>
    /// <param name="from">Behind this place, or before it where <paramref name="back"/>; null is from the start.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="back">The page that ends before <paramref name="from"/>, in the same order.</param>
    /// <param name="access">Who asks.</param>
    /// <param name="stop">Stops the read.</param>
    public async Task<List<TaskState>> ListAsync(string queue, TaskList list, TaskCursor? from, int max, Access access, CancellationToken stop, bool back = false)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        var page = db.Open(await TaskLists.Page(Tasks(db, access), queue, list, from, max, back).ToListAsync(stop));
        if (back)
            page.Reverse();
        return page;
    }

    /// <summary>The timeline of a task, oldest first.</summary>
    public async Task<List<TaskEvent>> TimelineAsync(Guid id, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        return db.Open(await db.TaskEvents.AsNoTracking().Where(e => e.TaskId == id).OrderBy(e => e.Id).ToListAsync(stop));
    }

    /// <summary>The callbacks of a task or a batch, oldest first.</summary>
    public async Task<List<Callback>> CallbacksAsync(Guid id, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        return db.Open(await db.Callbacks.AsNoTracking().Where(c => c.SubjectId == id).OrderBy(c => c.Id).ToListAsync(stop));
    }

    /// <summary>Tasks of a queue and level that wait since <paramref name="before"/> or longer; any of them, in no order.</summary>
    public async Task<List<Guid>> WaitingIdsAsync(QueueLevel level, DateTime before, int max, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        var here = db.Tasks.AsNoTracking().Where(t => t.Queue == level.Queue && t.Level == level.Level && t.CreatedAt <= before);
        return await TaskLists.Waiting(here).Concat(TaskLists.Held(here)).Select(t => t.CorrelationId).Take(max).ToListAsync(stop);
    }

    /// <summary>Counts by queue and level, of one or of all that have any tasks.</summary>
    public async Task<List<LevelStats>> LevelStatsAsync(QueueLevel? only, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        var tasks = db.Tasks.AsNoTracking();
        var counts = db.Set<QueueCount>().AsNoTracking();
        if (only is { } level)
        {
            tasks = tasks.Where(t => t.Queue == level.Queue && t.Level == level.Level);
            counts = counts.Where(c => c.Queue == level.Queue && c.Level == level.Level);
        }

        var waiting = await CountAsync(TaskLists.Waiting(tasks), stop);
        var held = await CountAsync(TaskLists.Held(tasks), stop);
        var running = await CountAsync(TaskLists.Running(tasks), stop);
        var ended = await counts.GroupBy(c => new { c.Queue, c.Level, c.Type }).Select(g => new { g.Key, Count = g.Sum(c => c.Count) }).ToListAsync(stop);
        return
        [
            .. waiting.Keys.Concat(held.Keys).Concat(running.Keys).Concat(ended.Select(e => new QueueLevel(e.Key.Queue, e.Key.Level))).Distinct().Select(at =>
            {
                var here = ended.Where(e => e.Key.Queue == at.Queue && e.Key.Level == at.Level).ToList();
                return new LevelStats(at, waiting.GetValueOrDefault(at) + held.GetValueOrDefault(at), running.GetValueOrDefault(at),
                    here.Where(e => e.Key.Type == TaskEventType.Completed).Sum(e => e.Count), here.Sum(e => e.Count));
            }),
        ];
    }

    private static Task<Dictionary<QueueLevel, long>> CountAsync(IQueryable<TaskState> tasks, CancellationToken stop) =>
        tasks.GroupBy(t => new { t.Queue, t.Level }).Select(g => new { g.Key, Count = g.LongCount() })
            .ToDictionaryAsync(g => new QueueLevel(g.Key.Queue, g.Key.Level), g => g.Count, stop);

    private IQueryable<TaskState> Tasks(TaskDbContext db, Access access)
    {
        var now = Micros.Now(time);
        var tasks = db.Tasks.AsNoTracking().Where(t => t.DeleteAt == null || t.DeleteAt > now);
        if (access.Owner is { } owner)
            tasks = tasks.Where(t => t.Owner == owner);
        if (access.Queues is { } prefixes)
            tasks = tasks.Where(t => prefixes.Any(prefix => t.Queue.StartsWith(prefix)));
        return tasks;
    }
}
