using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Batches;

/// <summary>Table <c>batches</c> for schedulers, with the tasks and the invalid items of batches.</summary>
internal sealed class BatchStore(IDbContextFactory<TaskDbContext> databases, TimeProvider time) : IBatchStore
{
    /// <summary>Items of a page of results; fewer if they are larger than <see cref="PageBytes"/>.</summary>
    private const int Page = 1000, LeastPage = 8;

    private const long PageBytes = 1024 * 1024;

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

    public async IAsyncEnumerable<EndedBatchItem> EndedAsync(Guid id, ReserveAnswer? reserve,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var cipher = db.GetService<DataCipher>();
        for (var (after, look, reserved) = (Guid.Empty, Page, 0L); ;)
        {
            // By the index of items first: an order of a union would need all of them.
            var ids = await db.Submitted.Where(t => t.BatchId == id && t.CorrelationId > after).OrderBy(t => t.CorrelationId)
                .Select(t => t.CorrelationId).Take(look).ToListAsync(cancellationToken);
            if (ids.Count == 0)
                yield break;
            var (page, bytes) = await CutAsync(db, ids, cancellationToken);
            if (reserve is not null && bytes > reserved)
            {
                await reserve(bytes - reserved, tasks: 1, cancellationToken);
                reserved = bytes;
            }

            foreach (var line in await db.EndedTasks.AsNoTracking().Where(t => page.Contains(t.CorrelationId)).OrderBy(t => t.CorrelationId)
                .Select(t => new EndedBatchItem(t.CorrelationId, t.State, t.Result, t.Error, t.Headers)).ToListAsync(cancellationToken))
                yield return TaskCipher.Open(cipher, line);
            after = page[^1];
            look = Math.Clamp(2 * page.Count, LeastPage, Page);
        }
    }

    public async IAsyncEnumerable<InvalidBatchItem> BadAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        for (var (after, count) = (-1, Page); count == Page;)
        {
            var page = await db.BatchBadLines.AsNoTracking().Where(l => l.BatchId == id && l.Line > after).OrderBy(l => l.Line).Take(Page)
                .ToListAsync(cancellationToken);
            foreach (var line in page)
                yield return db.Open(line)!;
            (after, count) = (page.LastOrDefault()?.Line ?? after, page.Count);
        }
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

    /// <summary>The first of the tasks, as many as fit into a page, and the bytes of their results.</summary>
    private static async Task<(List<Guid> Page, long Bytes)> CutAsync(TaskDbContext db, List<Guid> ids, CancellationToken cancellationToken)
    {
        var sizes = await db.Outcomes.AsNoTracking().Where(t => ids.Contains(t.CorrelationId))
            .Select(t => new { t.CorrelationId, Bytes = TextSize.Of(t.Result) ?? 0 })
            .ToDictionaryAsync(t => t.CorrelationId, t => t.Bytes, cancellationToken);
        var (count, bytes) = (0, 0L);
        for (; count < ids.Count; count++)
        {
            var size = sizes.GetValueOrDefault(ids[count]);
            if (count > 0 && bytes + size > PageBytes)
                break;
            bytes += size;
        }

        return (ids[..count], bytes);
    }
}
