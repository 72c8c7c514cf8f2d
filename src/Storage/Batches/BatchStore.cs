using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Encryption;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Batches;

/// <summary>Table <c>batches</c> for schedulers, with the tasks and the invalid items of batches.</summary>
internal sealed class BatchStore(IDbContextFactory<TaskDbContext> databases, TimeProvider time) : IBatchStore
{
    private const int Page = 1000;

    /// <summary>Maximum lifetime of a batch and its remains.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(60);

    public async Task<List<Guid>> DueAsync(TimeSpan grace, CancellationToken cancellationToken)
    {
        var now = Micros.Now(time);
        var graceOver = now - grace;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Batches.Where(b => b.State < BatchStates.Completed && (b.WorkedUntil == null || b.WorkedUntil < now))
            .Where(b =>
                (b.State == BatchStates.InProgress && (b.DeadlineAt <= now || b.LinesDone < b.Total))
                || (b.State == BatchStates.Cancelling && (b.CancellingAt <= graceOver || b.FinalizingAt != null))
                || (b.State != BatchStates.InProgress && b.State != BatchStates.Cancelling)
                || !(db.Ready.Any(t => t.BatchId == b.CorrelationId) || db.Running.Any(t => t.BatchId == b.CorrelationId))
                || (b.State == BatchStates.Cancelling && db.Ready.Any(t => t.BatchId == b.CorrelationId)))
            .OrderBy(b => b.CreatedAt).Select(b => b.CorrelationId).ToListAsync(cancellationToken);
    }

    public async Task<List<Guid>> UnreleasedAsync(CancellationToken cancellationToken)
    {
        var now = Micros.Now(time);
        var since = now - Longest;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Batches.Where(b => b.CreatedAt > since && b.State >= BatchStates.Completed && b.WorkedUntil < now)
            .Select(b => b.CorrelationId).ToListAsync(cancellationToken);
    }

    public async Task<bool> TryAcquireLeaseAsync(Guid id, DateTime now, DateTime until)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Batches.Where(b => b.CorrelationId == id && (b.WorkedUntil == null || b.WorkedUntil < now))
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, until)) > 0;
    }

    public async Task<bool> RenewLeaseAsync(Guid id, DateTime held, DateTime until)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Batches.Where(b => b.CorrelationId == id && b.WorkedUntil == held)
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, until)) == 1;
    }

    public async Task ReleaseLeaseAsync(Guid id, DateTime held)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Batches.Where(b => b.CorrelationId == id && b.WorkedUntil == held && b.State < BatchStates.Completed)
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, (DateTime?)null));
    }

    public async Task<BatchState> GetAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await db.Batches.AsNoTracking().SingleAsync(b => b.CorrelationId == id, cancellationToken))!;
    }

    public async Task<bool> HasLiveTasksAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await BatchTasks.Live(db, id).AnyAsync(cancellationToken);
    }

    public async Task<List<Guid>> LiveAsync(Guid id, bool alsoRunning, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await (alsoRunning ? BatchTasks.Live(db, id) : BatchTasks.Waiting(db, id)).Take(max)
            .ToListAsync(cancellationToken);
    }

    public async IAsyncEnumerable<EndedBatchItem> EndedAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var cipher = db.GetService<DataCipher>();
        for (var (after, count) = (Guid.Empty, Page); count == Page;)
        {
            // By the index of items first: an order of a union would need all of them.
            var page = await db.Submitted.Where(t => t.BatchId == id && t.CorrelationId > after).OrderBy(t => t.CorrelationId)
                .Select(t => t.CorrelationId).Take(Page).ToListAsync(cancellationToken);
            count = page.Count;
            await foreach (var line in db.Tasks.AsNoTracking().Where(t => page.Contains(t.CorrelationId)).OrderBy(t => t.CorrelationId)
                .Select(t => new EndedBatchItem(t.CorrelationId, t.State, t.Result, t.Error, t.Headers)).AsAsyncEnumerable()
                    .WithCancellation(cancellationToken))
                yield return TaskCipher.Open(cipher, line);
            after = page.LastOrDefault();
        }
    }

    public async IAsyncEnumerable<InvalidBatchItem> BadAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await foreach (var line in db.BatchBadLines.AsNoTracking().Where(l => l.BatchId == id).OrderBy(l => l.Line).AsAsyncEnumerable()
            .WithCancellation(cancellationToken))
            yield return db.Open(line)!;
    }

    public async Task ReleaseAsync(Guid id, DateTime deleteAt, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        for (var after = Guid.Empty; ;)
        {
            var page = db.Submitted.Where(t => t.BatchId == id && t.CorrelationId > after).OrderBy(t => t.CorrelationId)
                .Select(t => t.CorrelationId).Take(Page);
            if (await page.ToListAsync(cancellationToken) is not { Count: > 0 } ids)
                break;
            await db.Outcomes.Where(t => ids.Contains(t.CorrelationId) && t.DeleteAt == null)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.DeleteAt, deleteAt), cancellationToken);
            after = ids[^1];
        }

        await db.BatchBadLines.Where(l => l.BatchId == id).ExecuteDeleteAsync(cancellationToken);
        await db.BatchCounts.Where(c => c.BatchId == id).ExecuteDeleteAsync(cancellationToken);
        await db.Batches.Where(b => b.CorrelationId == id)
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, (DateTime?)null), cancellationToken);
    }
}
