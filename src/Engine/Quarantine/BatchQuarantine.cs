using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Batches that cannot be validated, split or finished. One that is set aside is held for ever, by nobody.</summary>
internal sealed class BatchQuarantine(
    IDbContextFactory<TaskDbContext> databases, QuarantineStore quarantine, BatchStore batchStore, TaskService tasks, PostCommitNotifier postCommit, TimeProvider time) : IQuarantineKind
{
    private const int Group = 500;

    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Batch];

    /// <summary>Sets a batch aside that nobody holds.</summary>
    /// <returns>Why it could not be, or null.</returns>
    public async Task<Exception?> SetAsideAsync(Guid id, Exception reason, CancellationToken cancellationToken)
    {
        var item = new QuarantinedItem { Kind = QuarantineKinds.Batch, Subject = BellaBatchId.Format(id), Reason = PoisonRules.Reason(reason), State = id.ToString() };
        var now = Micros.Now(time);
        return await quarantine.TryAddAsync(item, async db =>
        {
            var batch = db.Batches.Where(b => b.CorrelationId == id);
            if (await batch.Select(b => new { b.Queue, b.Owner }).SingleOrDefaultAsync(cancellationToken) is not { } found)
                return false;
            (item.Queue, item.Owner) = (found.Queue, found.Owner);
            return await batch.Where(b => b.WorkedUntil == null || b.WorkedUntil < now).ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, TaskQuarantine.Never), cancellationToken) > 0;
        }, cancellationToken);
    }

    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var (id, now) = (Guid.Parse(item.State!), Micros.Now(time));
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        // One that has ended keeps a mark until its tasks are released.
        var changed = await db.Batches.Where(b => b.CorrelationId == id && b.WorkedUntil == TaskQuarantine.Never)
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, now.AddSeconds(-1)), cancellationToken);
        postCommit.Batches.Set();
        return changed > 0 ? null : $"{item.Subject} is not held back, or is gone: drop the item";
    }

    /// <summary>The batch fails with the reason, without files; what is left of its tasks is cancelled. One that went on, or had ended, stays as it is.</summary>
    public async Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var (id, now) = (Guid.Parse(item.State!), Micros.Now(time));
        var errors = JsonSerializer.Serialize([new BatchInputError("given_up", $"given up by an operator: {item.Reason}", null, null)], BatchJson.Shapes.IReadOnlyListBatchInputError);
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            var held = db.Batches.Where(b => b.CorrelationId == id && b.WorkedUntil == TaskQuarantine.Never);
            // Of one that had ended only the mark goes, so that its tasks are released.
            if (await held.Where(b => b.State >= BatchStates.Completed).ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, now.AddSeconds(-1)), cancellationToken) > 0)
                return null;
            var failed = await held.Where(b => b.State < BatchStates.Completed).ExecuteUpdateAsync(
                b => b.SetProperty(x => x.State, BatchStates.Failed).SetProperty(x => x.FinishedAt, now).SetProperty(x => x.Errors, errors)
                    .SetProperty(x => x.WorkedUntil, now.AddSeconds(-1)).SetProperty(x => x.Version, x => x.Version + 1),
                cancellationToken);
            if (failed == 0)
                return null;
        }

        while (await batchStore.LiveAsync(id, alsoRunning: true, Group, cancellationToken) is { Count: > 0 } ids)
        {
            var commands = await tasks.ApplyAsync(ids.ConvertAll(task => new CancelTask(task, now)), Access.All);
            if (!commands.Any(c => c.CommandResult == CommandResult.Applied))
                break;
        }

        return null;
    }
}
