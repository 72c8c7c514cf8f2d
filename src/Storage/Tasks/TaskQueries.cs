using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Tasks;

/// <summary>Reads of tasks by id.</summary>
internal sealed partial class TaskQueries(
    IDbContextFactory<TaskDbContext> databases, ITaskSearch searches, IOptions<MemoryOptions> memory, TimeProvider time) : ITaskQueries
{
    public async Task<TaskState?> FindAsync(Guid id, Access access, CancellationToken cancellationToken, bool texts = true)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var task = Tasks(db, access).Where(t => t.CorrelationId == id);
        return db.Open(await (texts ? task : task.Select(SizedTask.Textless)).SingleOrDefaultAsync(cancellationToken));
    }

    public async Task<TaskState?> FindAsync(Guid id, Access access, ReserveAnswer reserve, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reserve);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var task = Tasks(db, access).Where(t => t.CorrelationId == id);
        var ifSmall = task.Where(
            t => (TextSize.Of(t.Payload) ?? 0) + (TextSize.Of(t.Result) ?? 0) + (TextSize.Of(t.Headers) ?? 0) <= MemoryBudget.SmallBytes);
        if (await ifSmall.SingleOrDefaultAsync(cancellationToken) is { } small)
            return db.Open(small);
        if (await task.Select(SizedTask.Of).SingleOrDefaultAsync(cancellationToken) is not { } large)
            return null;
        await reserve(large.Bytes, 1, cancellationToken);
        return db.Open(await task.SingleOrDefaultAsync(cancellationToken));
    }

    public async Task<bool> IsSeenAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Tasks(db, access).AnyAsync(t => t.CorrelationId == id, cancellationToken);
    }

    public async Task<bool> HasEndedAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return !await access.Filter(db.Ready.AsNoTracking()).Where(t => t.CorrelationId == id).Select(t => t.CorrelationId)
            .Concat(access.Filter(db.Running.AsNoTracking()).Where(t => t.CorrelationId == id).Select(t => t.CorrelationId))
            .AnyAsync(cancellationToken);
    }

    public async Task<List<TaskState>> FindManyAsync(IReadOnlyList<Guid> ids, Access access, CancellationToken cancellationToken,
        bool texts = true, ReserveAnswer? reserve = null)
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

    public async Task<List<FinishedTask>> OutcomesAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId))
            .Select(t => new
            {
                Task = new TaskState { CorrelationId = t.CorrelationId, State = t.State, Error = t.Error },
                Bytes = TextSize.Of(t.Result) ?? 0,
            }).ToListAsync(cancellationToken);
        var found = rows.ConvertAll(row => new FinishedTask(row.Task.CorrelationId, row.Task.State, ErrorOf(db, row.Task), row.Bytes));
        var gone = ids.Except(found.Select(t => t.Id)).Select(id => new FinishedTask(id, TaskStates.Cancelled, null, 0));
        return [.. found.Where(t => TaskStates.IsTerminal(t.State)), .. gone];
    }

    /// <summary>A task that cannot be decrypted must not hide the completion of the others.</summary>
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

    public async Task<string?> ResultAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Tasks.AsNoTracking().Where(t => t.CorrelationId == id)
            .Select(t => new TaskState { CorrelationId = t.CorrelationId, Result = t.Result }).SingleOrDefaultAsync(cancellationToken);
        return db.Open(row)?.Result;
    }

    public async Task<Dictionary<Guid, TaskState>> OwnersAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Tasks(db, Access.All).Where(t => ids.Contains(t.CorrelationId))
            .Select(t => new TaskState { CorrelationId = t.CorrelationId, Owner = t.Owner, Queue = t.Queue })
            .ToDictionaryAsync(t => t.CorrelationId, cancellationToken);
    }

    public async Task<List<Guid>> EndedAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var open = await db.Ready.Where(t => ids.Contains(t.CorrelationId)).Select(t => t.CorrelationId)
            .Concat(db.Running.Where(t => ids.Contains(t.CorrelationId)).Select(t => t.CorrelationId)).ToListAsync(cancellationToken);
        return [.. ids.Except(open)];
    }

    /// <summary>Rows of attempts in a timeline, the newest ones: a task may be snoozed any number of times.</summary>
    internal const int MostAttempts = 1000;

    public async Task<List<TaskEvent>> TimelineAsync(Guid id, ReserveAnswer reserve, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reserve);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var attempts = db.Attempts.Where(a => a.TaskId == id).OrderByDescending(a => a.Id).Take(MostAttempts);
        var errors = await attempts.Where(a => a.Error != null).Select(a => (long)(TextSize.Of(a.Error) ?? 0))
            .ToListAsync(cancellationToken);
        if (errors.Sum() is > MemoryBudget.SmallBytes and var bytes)
            await reserve(bytes, errors.Count, cancellationToken);
        // One statement: else the task may end or run again between its row and its attempts.
        var rows = await (
            from t in db.Tasks
            join s in db.Submitted on t.CorrelationId equals s.CorrelationId
            join a in attempts on t.CorrelationId equals a.TaskId into joined
            from a in joined.DefaultIfEmpty()
            where t.CorrelationId == id
            orderby a.Id
            select new
            {
                Task = new TaskState
                {
                    CorrelationId = t.CorrelationId, State = t.State, Queue = t.Queue, Tier = t.Tier, OrderingKey = t.OrderingKey,
                    Attempt = t.Attempt, CreatedAt = t.CreatedAt, StartedAt = t.StartedAt, FinishedAt = t.FinishedAt, Worker = t.Worker,
                },
                FirstDueAt = s.DueAt,
                Attempt = a,
            }).AsNoTracking().ToListAsync(cancellationToken);
        if (rows.Count == 0)
            return [];
        var task = rows[0].Task;
        // Not with each row of the attempts; gone if the task has changed since.
        task.Error = await db.Tasks.AsNoTracking()
            .Where(t => t.CorrelationId == id && t.FinishedAt == task.FinishedAt && t.FinishedAt != null)
            .Select(t => t.Error).SingleOrDefaultAsync(cancellationToken);
        return AttemptRows.Timeline(
            db.Open(task)!, rows[0].FirstDueAt, db.Open(rows.Select(row => row.Attempt).OfType<AttemptRow>().ToList()));
    }

    public async Task<List<Callback>> CallbacksAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await db.Callbacks.AsNoTracking().Where(c => c.SubjectId == id).OrderBy(c => c.Id).ToListAsync(cancellationToken));
    }

    private IQueryable<TaskState> Tasks(TaskDbContext db, Access access)
    {
        var now = Micros.Now(time);
        return access.Filter(db.Tasks.AsNoTracking().Where(t => t.DeleteAt == null || t.DeleteAt > now));
    }

    private TaskViewsOf Views(TaskDbContext db, Access access)
    {
        var now = Micros.Now(time);
        return new(access.Filter(db.WaitingTasks.AsNoTracking()), access.Filter(db.RunningTasks.AsNoTracking()),
            access.Filter(db.EndedTasks.AsNoTracking().Where(t => t.DeleteAt == null || t.DeleteAt > now)));
    }
}
