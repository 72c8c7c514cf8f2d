using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Bulk;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Bulk;

/// <summary>Tables <c>operations</c> and <c>operation_tasks</c> for the scheduler that carries them out.</summary>
internal sealed partial class BulkOperationStore
{
    private const BulkState Cancelled = BulkState.Cancelled;

    private static readonly List<BulkState> Active = [BulkState.Planned, BulkState.Running, BulkState.Undoing];

    private static readonly List<BulkState> Forward = [BulkState.Planned, BulkState.Running];

    public async Task<List<Guid>> DueAsync(DateTime now, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Operations.Where(o => o.FinishedAt == null && (Active.Contains(o.State) || (o.State == Cancelled && o.IsInStep)))
            .Where(o => o.DueAt <= now && (o.WorkedUntil == null || o.WorkedUntil < now))
            .OrderBy(o => o.DueAt).ThenBy(o => o.Id).Select(o => o.Id).Take(max).ToListAsync(cancellationToken);
    }

    public async Task<BulkOperation?> TryLeaseAsync(Guid id, DateTime now, DateTime until, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var leased = await db.Operations
            .Where(o => o.Id == id && (Active.Contains(o.State) || (o.State == Cancelled && o.IsInStep))
                && (o.WorkedUntil == null || o.WorkedUntil < now))
            .ExecuteUpdateAsync(o => o.SetProperty(x => x.WorkedUntil, until), cancellationToken);
        if (leased == 0 || await db.Operations.AsNoTracking().SingleOrDefaultAsync(
            o => o.Id == id && o.WorkedUntil == until, cancellationToken) is not { } operation)
            return null;
        Explain(db, operation);
        return operation;
    }

    public async Task ReleaseAsync(Guid id, DateTime held)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Operations.Where(o => o.Id == id && o.WorkedUntil == held)
            .ExecuteUpdateAsync(o => o.SetProperty(x => x.WorkedUntil, (DateTime?)null));
    }

    public async Task<DateTime?> BeginStepAsync(BulkLease lease, BulkStep step, CancellationToken cancellationToken)
    {
        var begins = step.Tasks.Count > 0;
        DateTime? now = step.Now;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var error = Sealed(db, lease.Id, step.Error);
        var held = await db.Operations.Where(o => o.Id == lease.Id && o.WorkedUntil == lease.Held && Forward.Contains(o.State))
            .ExecuteUpdateAsync(
                o => o.SetProperty(x => x.State, BulkState.Running).SetProperty(x => x.StartedAt, x => x.StartedAt ?? now)
                    .SetProperty(x => x.WorkedUntil, lease.Until).SetProperty(x => x.Before, step.Before)
                    .SetProperty(x => x.Position, step.Position).SetProperty(x => x.IsSelected, step.IsLast)
                    .SetProperty(x => x.IsInStep, begins).SetProperty(x => x.Skipped, x => x.Skipped + step.Skipped)
                    .SetProperty(x => x.Failed, x => x.Failed + step.Failed).SetProperty(x => x.Error, x => error ?? x.Error),
                cancellationToken);
        if (held == 0)
            return null;
        db.OperationTasks.AddRange(step.Tasks);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return lease.Until;
    }

    public async Task<List<BulkOperationTask>> OpenTasksAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return Open(
            db, await db.OperationTasks.AsNoTracking().Where(t => t.OperationId == id && !t.IsDone).ToListAsync(cancellationToken));
    }

    public async Task<DateTime?> EndStepAsync(BulkLease lease, BulkStepEnd end, CancellationToken cancellationToken)
    {
        var skipped = end.Others.Count - end.Failed;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var (error, done, now) = (Sealed(db, lease.Id, end.Error), end.Done.Count, (DateTime?)end.Now);
        var goesOn = end.Open.Count > 0;
        // Whatever its state is: what was done is done.
        var held = await db.Operations.Where(o => o.Id == lease.Id && o.WorkedUntil == lease.Held).ExecuteUpdateAsync(
            o => o.SetProperty(x => x.WorkedUntil, lease.Until).SetProperty(x => x.IsInStep, goesOn)
                .SetProperty(x => x.Done, x => x.Done + done).SetProperty(x => x.Skipped, x => x.Skipped + skipped)
                .SetProperty(x => x.Failed, x => x.Failed + end.Failed).SetProperty(x => x.Faults, 0)
                .SetProperty(x => x.FinishedAt, x => x.State == Cancelled && !goesOn ? now : x.FinishedAt)
                .SetProperty(x => x.DueAt, end.DueAt).SetProperty(x => x.Error, x => error ?? x.Error),
            cancellationToken);
        if (held == 0)
            return null;
        await KeepAsync(db, lease.Id, end, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return lease.Until;
    }

    public async Task<List<BulkOperationTask>> KeptAsync(Guid id, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return Open(db, await db.OperationTasks.AsNoTracking().Where(t => t.OperationId == id && t.IsDone).OrderBy(t => t.TaskId)
            .Take(max).ToListAsync(cancellationToken));
    }

    public async Task<DateTime?> EndUndoStepAsync(BulkLease lease, BulkUndoEnd end, CancellationToken cancellationToken)
    {
        var count = end.Tasks.Count;
        var ids = end.Tasks.Select(t => t.TaskId).ToList();
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var error = Sealed(db, lease.Id, end.Error);
        var held = await db.Operations.Where(o => o.Id == lease.Id && o.WorkedUntil == lease.Held).ExecuteUpdateAsync(
            o => o.SetProperty(x => x.WorkedUntil, lease.Until).SetProperty(x => x.Undone, x => x.Undone + end.Undone)
                .SetProperty(x => x.Kept, x => x.Kept - count).SetProperty(x => x.Faults, 0).SetProperty(x => x.DueAt, end.DueAt)
                .SetProperty(x => x.Error, x => error ?? x.Error),
            cancellationToken);
        if (held == 0)
            return null;
        await db.OperationTasks.Where(t => t.OperationId == lease.Id && ids.Contains(t.TaskId)).ExecuteDeleteAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return lease.Until;
    }

    public async Task FinishAsync(BulkLease lease, BulkState state, DateTime now, CancellationToken cancellationToken)
    {
        DateTime? at = now;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.Operations.Where(o => o.Id == lease.Id && o.WorkedUntil == lease.Held && Active.Contains(o.State)).ExecuteUpdateAsync(
            o => o.SetProperty(x => x.State, state).SetProperty(x => x.FinishedAt, at)
                .SetProperty(x => x.StartedAt, x => x.StartedAt ?? at), cancellationToken);
    }

    public async Task FailAsync(BulkLease lease, string error, DateTime dueAt, bool pause)
    {
        await using var db = await databases.CreateDbContextAsync();
        var text = Sealed(db, lease.Id, error);
        var rows = db.Operations.Where(o => o.Id == lease.Id && o.WorkedUntil == lease.Held);
        if (pause)
            await rows.Where(o => Active.Contains(o.State)).ExecuteUpdateAsync(o => o.SetProperty(x => x.State, BulkState.Paused));
        await rows.ExecuteUpdateAsync(o => o.SetProperty(x => x.Error, text).SetProperty(x => x.Faults, x => x.Faults + 1)
            .SetProperty(x => x.DueAt, dueAt));
    }

    public async Task PostponeAsync(BulkLease lease, DateTime dueAt)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Operations.Where(o => o.Id == lease.Id && o.WorkedUntil == lease.Held)
            .ExecuteUpdateAsync(o => o.SetProperty(x => x.DueAt, dueAt));
    }

    /// <summary>Decrypts each task by itself: one that cannot be read does not hide the others.</summary>
    private static List<BulkOperationTask> Open(TaskDbContext db, List<BulkOperationTask> tasks)
    {
        foreach (var task in tasks)
        {
            try
            {
                db.Open(task);
            }
            catch (UnreadableDataException unreadable)
            {
                (task.FormerPayload, task.Problem) = (null, unreadable.Message);
            }
        }

        return tasks;
    }

    /// <summary>Keeps changed tasks for an undo as far as the limits allow; beyond them none, because half an undo is of no use.</summary>
    private async Task KeepAsync(TaskDbContext db, Guid id, BulkStepEnd end, CancellationToken cancellationToken)
    {
        var kept = await db.Operations.Where(o => o.Id == id).Select(o => new { o.Action, o.Kept, o.KeptChars, o.IsBeyondUndo })
            .SingleAsync(cancellationToken);
        var (count, chars) = (kept.Kept + end.Done.Count, kept.KeptChars + end.Done.Sum(t => (long)(t.FormerPayload?.Length ?? 0)));
        var isBeyond = kept.IsBeyondUndo || count > options.Value.MaxUndoTasks || chars > options.Value.MaxUndoChars;
        var rows = db.OperationTasks.Where(t => t.OperationId == id);
        if (isBeyond || kept.Action == BulkAction.Delete)
        {
            List<Guid> open = [.. end.Open.Select(t => t.TaskId)];
            await (open.Count == 0 ? rows : rows.Where(t => !open.Contains(t.TaskId))).ExecuteDeleteAsync(cancellationToken);
            await db.Operations.Where(o => o.Id == id).ExecuteUpdateAsync(
                o => o.SetProperty(x => x.Kept, 0).SetProperty(x => x.KeptChars, 0L).SetProperty(x => x.IsBeyondUndo, isBeyond),
                cancellationToken);
            return;
        }

        List<Guid> done = [.. end.Done.Select(t => t.TaskId)], others = [.. end.Others.Select(t => t.TaskId)];
        if (others.Count > 0)
            await rows.Where(t => others.Contains(t.TaskId)).ExecuteDeleteAsync(cancellationToken);
        if (done.Count > 0)
            await rows.Where(t => done.Contains(t.TaskId)).ExecuteUpdateAsync(t => t.SetProperty(x => x.IsDone, true), cancellationToken);
        await db.Operations.Where(o => o.Id == id)
            .ExecuteUpdateAsync(o => o.SetProperty(x => x.Kept, count).SetProperty(x => x.KeptChars, chars), cancellationToken);
    }
}
