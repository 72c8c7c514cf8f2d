using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Memory;
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

/// <summary>A page of a list, which ends at a number of bytes as well as of tasks.</summary>
/// <param name="Tasks">The tasks, in the order of the list; a task that vanished meanwhile is missing.</param>
/// <param name="First">The place of the first, or null where there is none.</param>
/// <param name="Last">The place of the last; the next page is behind it.</param>
/// <param name="HasMore">Whether there are more in the direction of the read.</param>
public sealed record TaskPage(IReadOnlyList<TaskState> Tasks, TaskCursor? First, TaskCursor? Last, bool HasMore);

/// <summary>Waits until an answer of so many bytes and tasks may be read.</summary>
/// <param name="bytes">Payloads, results and headers.</param>
/// <param name="tasks">How many tasks.</param>
/// <param name="cancellationToken">Ends the wait.</param>
public delegate ValueTask ReserveAnswer(long bytes, int tasks, CancellationToken cancellationToken);

/// <summary>How a task ended.</summary>
/// <param name="Id">The task.</param>
/// <param name="State">A terminal state.</param>
/// <param name="Error">Why it failed.</param>
/// <param name="ResultBytes">Size of its result.</param>
public sealed record FinishedTask(Guid Id, int State, string? Error, long ResultBytes);

/// <summary>What a level of a queue holds.</summary>
/// <param name="At">Queue and level.</param>
/// <param name="Waiting">Tasks that wait to run, due or not.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Completed">Tasks that ever completed, since the last purge.</param>
/// <param name="Ended">Tasks that ever ended, since the last purge.</param>
public sealed record LevelStats(QueueLevel At, long Waiting, long Running, long Completed, long Ended);

/// <summary>Reads of tasks; nothing here changes anything. Tasks that are gone are not seen, though their rows may still be there, nor those that the caller may not see.</summary>
public sealed class TaskQueries(IDbContextFactory<TaskDbContext> databases, IOptions<MemoryOptions> memory, TimeProvider time)
{
    /// <summary>One task, or null.</summary>
    /// <param name="id">The task.</param>
    /// <param name="access">Who asks.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    /// <param name="texts">Whether its payload and its result are needed.</param>
    public async Task<TaskState?> FindAsync(Guid id, Access access, CancellationToken cancellationToken, bool texts = true)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var task = Tasks(db, access).Where(t => t.CorrelationId == id);
        return db.Open(await (texts ? task : task.Select(SizedTask.Textless)).SingleOrDefaultAsync(cancellationToken));
    }

    /// <summary>Whether a task is there to be seen.</summary>
    public async Task<bool> IsSeenAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Tasks(db, access).AnyAsync(t => t.CorrelationId == id, cancellationToken);
    }

    /// <summary>The same; memory is reserved before a large one is read.</summary>
    public async Task<TaskState?> FindAsync(Guid id, Access access, ReserveAnswer reserve, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reserve);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var task = Tasks(db, access).Where(t => t.CorrelationId == id);
        if (await task.Where(t => (TextSize.Of(t.Payload) ?? 0) + (TextSize.Of(t.Result) ?? 0) + (TextSize.Of(t.Headers) ?? 0) <= MemoryBudget.SmallBytes).SingleOrDefaultAsync(cancellationToken) is { } small)
            return db.Open(small);
        if (await task.Select(SizedTask.Of).SingleOrDefaultAsync(cancellationToken) is not { } large)
            return null;
        await reserve(large.Bytes, 1, cancellationToken);
        return db.Open(await task.SingleOrDefaultAsync(cancellationToken));
    }

    /// <summary>Whether a task has ended, or is not there to be seen.</summary>
    public async Task<bool> HasEndedAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return !await Tasks(db, access).AnyAsync(t => t.CorrelationId == id && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying), cancellationToken);
    }

    /// <summary>Those of the tasks that exist, in no order.</summary>
    public async Task<List<TaskState>> FindManyAsync(IReadOnlyList<Guid> ids, Access access, CancellationToken cancellationToken, bool texts = true, ReserveAnswer? reserve = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var tasks = Tasks(db, access).Where(t => ids.Contains(t.CorrelationId));
        if (!texts)
            tasks = tasks.Select(SizedTask.Textless);
        if (reserve is not null)
        {
            var sizes = await tasks.Select(SizedTask.Of).ToListAsync(cancellationToken);
            await reserve(sizes.Sum(t => t.Bytes), sizes.Count, cancellationToken);
        }

        return db.Open(await tasks.ToListAsync(cancellationToken));
    }

    /// <summary>Those of the tasks that have ended, without their results; and those that are gone, as cancelled.</summary>
    public async Task<List<FinishedTask>> OutcomesAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId))
            .Select(t => new { Task = new TaskState { CorrelationId = t.CorrelationId, State = t.State, Error = t.Error }, Bytes = TextSize.Of(t.Result) ?? 0 }).ToListAsync(cancellationToken);
        var found = rows.ConvertAll(row => new FinishedTask(row.Task.CorrelationId, row.Task.State, ErrorOf(db, row.Task), row.Bytes));
        var gone = ids.Except(found.Select(t => t.Id)).Select(id => new FinishedTask(id, TaskStates.Cancelled, null, 0));
        return [.. found.Where(t => TaskStates.IsTerminal(t.State)), .. gone];
    }

    /// <summary>One that cannot be decrypted must not keep the ends of the others from their callers.</summary>
    private static string? ErrorOf(TaskDbContext db, TaskState task)
    {
        try
        {
            return db.Open(task)!.Error;
        }
        catch (UnreadableDataException unreadable)
        {
            return unreadable.Message;
        }
    }

    /// <summary>The result of a task; null where it has none or is gone.</summary>
    public async Task<string?> ResultAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Tasks.AsNoTracking().Where(t => t.CorrelationId == id).Select(t => new TaskState { CorrelationId = t.CorrelationId, Result = t.Result }).SingleOrDefaultAsync(cancellationToken);
        return db.Open(row)?.Result;
    }

    /// <summary>Whose the tasks are, and of which queue: rows with nothing else. Tasks that are gone are missing.</summary>
    public async Task<Dictionary<Guid, TaskState>> OwnersAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId)).Select(t => new TaskState { CorrelationId = t.CorrelationId, Owner = t.Owner, Queue = t.Queue })
            .ToDictionaryAsync(t => t.CorrelationId, cancellationToken);
    }

    /// <summary>Those of the tasks that have ended or are gone.</summary>
    public async Task<List<Guid>> EndedAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var open = await Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId) && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying))
            .Select(t => t.CorrelationId).ToListAsync(cancellationToken);
        return [.. ids.Except(open)];
    }

    /// <summary>The newest tasks, all or of one state; fewer where they are large.</summary>
    public async Task<IReadOnlyList<TaskState>> NewestAsync(int? state, int max, Access access, CancellationToken cancellationToken, ReserveAnswer? reserve = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var tasks = Tasks(db, access);
        if (state is { } wanted)
            tasks = tasks.Where(t => t.State == EF.Constant(wanted)); // a partial index is only used for a state that the planner sees
        var sizes = await tasks.OrderByDescending(t => t.CorrelationId).Take(max).Select(SizedTask.Of).ToListAsync(cancellationToken);
        return await ReadAsync(db, access, SizedTask.Cut(sizes, memory.Value.MaxAnswerBytes, out var bytes), bytes, reserve, cancellationToken);
    }

    /// <summary>A page of a queue's tasks.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="list">Which, and in which order.</param>
    /// <param name="from">Behind this place, or before it where <paramref name="back"/>; null is from the start.</param>
    /// <param name="max">At most so many; fewer where they are large.</param>
    /// <param name="access">Who asks.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    /// <param name="back">The page that ends before <paramref name="from"/>, in the same order.</param>
    /// <param name="reserve">Reserves the memory of the page before it is read.</param>
    public async Task<TaskPage> ListAsync(
        string queue, TaskList list, TaskCursor? from, int max, Access access, CancellationToken cancellationToken, bool back = false, ReserveAnswer? reserve = null)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var found = await TaskLists.Page(Tasks(db, access), queue, list, from, max + 1, back).Select(SizedTask.Of).ToListAsync(cancellationToken); // one more shows whether there are more
        var page = SizedTask.Cut(found.Count > max ? found[..max] : found, memory.Value.MaxAnswerBytes, out var bytes);
        var hasMore = page.Count < found.Count;
        if (back)
            page.Reverse();
        return new TaskPage(
            await ReadAsync(db, access, page, bytes, reserve, cancellationToken), page.FirstOrDefault()?.Cursor(list), page.LastOrDefault()?.Cursor(list), hasMore);
    }

    /// <summary>The ids of dead letters of a queue behind a place, the oldest death first.</summary>
    public async Task<List<TaskCursor>> DeadAsync(string queue, TaskCursor? from, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await TaskLists.Page(Tasks(db, Access.All), queue, TaskList.Dead, from, max, back: false)
            .Select(t => new TaskCursor(t.FinishedAt ?? DateTime.UnixEpoch, t.CorrelationId)).ToListAsync(cancellationToken);
    }

    private async Task<IReadOnlyList<TaskState>> ReadAsync(TaskDbContext db, Access access, List<SizedTask> page, long bytes, ReserveAnswer? reserve, CancellationToken cancellationToken)
    {
        if (page.Count == 0)
            return [];
        if (reserve is not null)
            await reserve(bytes, page.Count, cancellationToken);
        var ids = page.ConvertAll(t => t.Id);
        var tasks = await Tasks(db, access).Where(t => ids.Contains(t.CorrelationId)).ToDictionaryAsync(t => t.CorrelationId, cancellationToken);
        return db.Open(ids.Where(tasks.ContainsKey).Select(id => tasks[id]).ToList());
    }

    /// <summary>The timeline of a task, oldest first.</summary>
    public async Task<List<TaskEvent>> TimelineAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await db.TaskEvents.AsNoTracking().Where(e => e.TaskId == id).OrderBy(e => e.Id).ToListAsync(cancellationToken));
    }

    /// <summary>The callbacks of a task or a batch, oldest first.</summary>
    public async Task<List<Callback>> CallbacksAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await db.Callbacks.AsNoTracking().Where(c => c.SubjectId == id).OrderBy(c => c.Id).ToListAsync(cancellationToken));
    }

    /// <summary>Tasks of a queue and level that wait since <paramref name="before"/> or longer; any of them, in no order.</summary>
    public async Task<List<Guid>> WaitingIdsAsync(QueueLevel level, DateTime before, int max, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var here = access.Filter(db.Tasks.AsNoTracking()).Where(t => t.Queue == level.Queue && t.Level == level.Level && t.CreatedAt <= before);
        return await TaskLists.Waiting(here).Concat(TaskLists.Held(here)).Select(t => t.CorrelationId).Take(max).ToListAsync(cancellationToken);
    }

    /// <summary>
    /// Counts by queue and level, of one or of all that have any tasks that the caller may see. What ended is counted for all tenants
    /// together, so who sees one tenant only gets the finished tasks that are still kept.
    /// </summary>
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
        var completed = access.SeesAllTenants ? await SumAsync(counts.Where(c => c.Type == TaskEventType.Completed), cancellationToken) : await CountAsync(tasks.Where(t => t.State == TaskStates.Completed), cancellationToken);
        var ended = access.SeesAllTenants ? await SumAsync(counts, cancellationToken) : await CountAsync(Ended(tasks), cancellationToken);
        return
        [
            .. waiting.Keys.Concat(held.Keys).Concat(running.Keys).Concat(ended.Keys).Distinct().Select(at => new LevelStats(
                at, waiting.GetValueOrDefault(at) + held.GetValueOrDefault(at), running.GetValueOrDefault(at), completed.GetValueOrDefault(at), ended.GetValueOrDefault(at))),
        ];
    }

    /// <summary>Counts of a queue, as the caller sees it: see <see cref="LevelStatsAsync"/>.</summary>
    public async Task<QueueStats> QueueStatsAsync(string queue, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var now = Micros.Now(time);
        var tasks = Tasks(db, access).Where(t => t.Queue == queue);
        var waiting = TaskLists.Waiting(tasks);
        return new QueueStats(
            await waiting.LongCountAsync(cancellationToken) + await TaskLists.Held(tasks).LongCountAsync(cancellationToken), await TaskLists.Running(tasks).LongCountAsync(cancellationToken),
            await tasks.LongCountAsync(t => t.Dead, cancellationToken),
            await tasks.LongCountAsync(t => t.State == TaskStates.Completed, cancellationToken), await tasks.LongCountAsync(t => t.State == TaskStates.Expired, cancellationToken),
            await waiting.Where(t => t.DueAt <= now && (t.ExpiresAt == null || t.ExpiresAt > now)).MinAsync(t => (DateTime?)t.DueAt, cancellationToken));
    }

    /// <summary>Queues in which tasks that the caller may see wait or run.</summary>
    public async Task<List<string>> QueuesAsync(Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var tasks = Tasks(db, access);
        return await tasks.Where(t => t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying).Select(t => t.Queue).Distinct().ToListAsync(cancellationToken);
    }

    private static IQueryable<TaskState> Ended(IQueryable<TaskState> tasks) =>
        tasks.Where(t => t.State == TaskStates.Completed || t.State == TaskStates.Failed || t.State == TaskStates.Cancelled || t.State == TaskStates.Expired);

    private static Task<Dictionary<QueueLevel, long>> SumAsync(IQueryable<QueueCount> counts, CancellationToken cancellationToken) =>
        counts.GroupBy(c => new { c.Queue, c.Level }).Select(g => new { g.Key, Count = g.Sum(c => c.Count) })
            .ToDictionaryAsync(g => new QueueLevel(g.Key.Queue, g.Key.Level), g => g.Count, cancellationToken);

    private static Task<Dictionary<QueueLevel, long>> CountAsync(IQueryable<TaskState> tasks, CancellationToken cancellationToken) =>
        tasks.GroupBy(t => new { t.Queue, t.Level }).Select(g => new { g.Key, Count = g.LongCount() })
            .ToDictionaryAsync(g => new QueueLevel(g.Key.Queue, g.Key.Level), g => g.Count, cancellationToken);

    private IQueryable<TaskState> Tasks(TaskDbContext db, Access access)
    {
        var now = Micros.Now(time);
        var tasks = db.Tasks.AsNoTracking().Where(t => t.DeleteAt == null || t.DeleteAt > now);
        return access.Filter(tasks);
    }
}
