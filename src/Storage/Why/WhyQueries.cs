using Microsoft.EntityFrameworkCore;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Why;
using TaskQueue.Engine.Workers;
using TaskQueue.Storage.Encryption;
using TaskQueue.Storage.Tasks;

namespace TaskQueue.Storage.Why;

/// <summary>Reads what keeps tasks from running, with the same queries on every database. They repeat the conditions of a claim.</summary>
internal sealed class WhyQueries(IDbContextFactory<TaskDbContext> databases) : IWhyQueries
{
    private const int MostHolders = 5;

    /// <summary>Running tasks among which those are looked for whose lease ends first.</summary>
    private const int MostLookedAt = 1000;

    private const int ManySpaces = WorkerEntry.MaxQueues - 1;

    public async Task<TaskState?> FindAsync(Guid id, Access access, DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var task = await access.Filter(db.Tasks.AsNoTracking().Where(t => t.DeleteAt == null || t.DeleteAt > now))
            .Where(t => t.CorrelationId == id)
            .Select(t => new TaskState
            {
                CorrelationId = t.CorrelationId, State = t.State, Queue = t.Queue, Tier = t.Tier, Priority = t.Priority, Push = t.Push,
                OrderingKey = t.OrderingKey, Blocked = t.Blocked, Attempt = t.Attempt, Worker = t.Worker, Dead = t.Dead, Owner = t.Owner,
                CreatedAt = t.CreatedAt, DueAt = t.DueAt, ExpiresAt = t.ExpiresAt, DispatchAt = t.DispatchAt, StartedAt = t.StartedAt,
                LeaseUntil = t.LeaseUntil, FinishedAt = t.FinishedAt, Error = t.State == TaskStates.Failed ? t.Error : null,
            })
            .SingleOrDefaultAsync(cancellationToken);
        try
        {
            return db.Open(task);
        }
        catch (UnreadableDataException)
        {
            task!.Error = null; // it tells no more than that the task failed
            return task;
        }
    }

    public async Task<WaitingFacts?> ReadAsync(TaskState task, DateTime now, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(task);
        var (id, queue, tier, key, due, accepted) =
            (task.CorrelationId, task.Queue, task.Tier, task.OrderingKey ?? "", task.DueAt, task.CreatedAt);
        var (kind, subject) = (WaitingView.ParkedAs(task) ?? "", id.ToString());
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ahead = Ahead(db, task, now);
        var keyed = db.Ready.Where(r => r.Queue == queue && r.OrderingKey == key && r.OrderingKey != null);
        var locks = from held in db.Set<QueueLock>()
                    join holder in db.Running on held.TaskId equals holder.CorrelationId
                    where held.Queue == queue && held.Tier == tier && held.Until > now && holder.Attempt == held.Attempt
                    select held;
        // Queues of workers are separated by spaces; of a worker with very many, not all are known.
        var name = $" {(tier == 0 ? queue : $"{queue}:{tier}")} ";
        return await db.Submitted.AsNoTracking().Where(t => t.CorrelationId == id).Select(t => new WaitingFacts
        {
            Ahead = ahead.Take(WaitingFacts.MostCounted + 1).Count(),
            AheadOfKey = keyed.Where(r => r.Blocked && r.DueAt <= due && (r.DueAt < due || r.CreatedAt < accepted
                    || (r.CreatedAt == accepted && r.CorrelationId < id)))
                .Take(WaitingFacts.MostCounted + 1).Count(),
            RunningHead = db.Running.Where(r => r.Queue == queue && r.OrderingKey == key && r.OrderingKey != null)
                .Select(r => (Guid?)r.CorrelationId).FirstOrDefault(),
            WaitingHead = keyed.Where(r => !r.Blocked).Select(r => (Guid?)r.CorrelationId).FirstOrDefault(),
            Running = db.Running.LongCount(r => r.Queue == queue && r.Limited),
            BucketBase = db.Set<QueueLimitRow>().Where(l => l.Queue == queue).Select(l => (long?)l.BucketBase).FirstOrDefault(),
            LockedBy = locks.Select(l => (Guid?)l.TaskId).FirstOrDefault(),
            LockedUntil = locks.Select(l => (DateTime?)l.Until).FirstOrDefault(),
            SetAsideAt = db.Quarantine.Where(q => q.Kind == kind && q.Subject == subject && q.State != null)
                .Select(q => (DateTime?)q.At).FirstOrDefault(),
            IsServed = db.Workers.Any(w => w.State == WorkerState.Active && !w.Draining && ((" " + w.Queues + " ").Contains(name)
                || w.Queues.Length - w.Queues.Replace(" ", "").Length >= ManySpaces)),
            ServedAt = db.Workers.Where(w => (" " + w.Queues + " ").Contains(name)).Max(w => (DateTime?)w.LastSeenAt),
        }).SingleOrDefaultAsync(cancellationToken);
    }

    public async Task<List<GateHolder>> FindHoldersAsync(IReadOnlyCollection<Guid> ids, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await access.Filter(db.Tasks.AsNoTracking()).Where(t => ids.Contains(t.CorrelationId))
            .Select(t => new GateHolder(t.CorrelationId, t.State, t.DueAt, t.LeaseUntil)).ToListAsync(cancellationToken);
    }

    public async Task<List<GateHolder>> RunningAsync(string queue, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await access.Filter(db.Running.AsNoTracking()).Where(r => r.Queue == queue && r.Limited).Take(MostLookedAt)
            .OrderBy(r => r.LeaseUntil).ThenBy(r => r.CorrelationId).Take(MostHolders)
            .Select(r => new GateHolder(r.CorrelationId, TaskStates.Running, r.DueAt, r.LeaseUntil)).ToListAsync(cancellationToken);
    }

    /// <summary>
    /// The tasks that a claim takes before a task, in parts that are ranges of the index of claims, each cut by itself: so that no more
    /// rows are read than counted, whatever waits behind it.
    /// </summary>
    private static IQueryable<Guid> Ahead(TaskDbContext db, TaskState task, DateTime now)
    {
        var (id, queue, tier, own, due, accepted) =
            (task.CorrelationId, task.Queue, task.Tier, task.Priority, task.DueAt, task.CreatedAt);
        var waiting = TaskLists.Claimable(db.Ready)
            .Where(r => r.Queue == queue && r.Tier == tier && !r.Push && (r.ExpiresAt == null || r.ExpiresAt > now));
        var ahead = Most(waiting.Where(r => r.Priority == own && r.DueAt < due))
            .Concat(Most(waiting.Where(r => r.Priority == own && r.DueAt == due && r.CreatedAt < accepted)))
            .Concat(Most(waiting.Where(r => r.Priority == own && r.DueAt == due && r.CreatedAt == accepted && r.CorrelationId < id)));
        foreach (var priority in Enum.GetValues<Priority>().Where(p => p > own))
            ahead = ahead.Concat(Most(waiting.Where(r => r.Priority == priority && r.DueAt <= now)));
        return ahead;

        static IQueryable<Guid> Most(IQueryable<TaskState> part) =>
            part.Select(r => r.CorrelationId).Take(WaitingFacts.MostCounted + 1);
    }
}
