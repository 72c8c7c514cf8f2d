using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>What a scheduler needs to work on batches: which there are to work on, the right to do so, their tasks and their bad lines.</summary>
public sealed class BatchStore(IDbContextFactory<TaskDbContext> databases, TimeProvider time)
{
    private const int Page = 1000;

    /// <summary>No batch lives longer than that, nor does what is left of it.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(60);

    /// <summary>
    /// Batches that nobody holds and on which something is to be done, oldest first. Those whose tasks are at work are left out, and
    /// those that were cancelled a moment ago whose last tasks still may end.
    /// </summary>
    /// <param name="grace">How long tasks that run may go on after a cancel.</param>
    /// <param name="cancellationToken">Stops the read.</param>
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
                || !db.Tasks.Any(t => t.BatchId == b.CorrelationId && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying))
                || (b.State == BatchStates.Cancelling && db.Tasks.Any(t => t.BatchId == b.CorrelationId && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying) && t.State != TaskStates.Running)))
            .OrderBy(b => b.CreatedAt).Select(b => b.CorrelationId).ToListAsync(cancellationToken);
    }

    /// <summary>Batches that have ended and whose scheduler did not live to release their tasks.</summary>
    public async Task<List<Guid>> UnreleasedAsync(CancellationToken cancellationToken)
    {
        var now = Micros.Now(time);
        var since = now - Longest;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Batches.Where(b => b.CreatedAt > since && b.State >= BatchStates.Completed && b.WorkedUntil < now).Select(b => b.CorrelationId).ToListAsync(cancellationToken);
    }

    /// <summary>Takes a batch for this process; null where another one works on it.</summary>
    public Task<BatchLease?> TakeAsync(Guid id) => BatchLease.TakeAsync(databases, time, id);

    /// <summary>The batch as it is now.</summary>
    public async Task<BatchState> GetAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await db.Batches.AsNoTracking().SingleAsync(b => b.CorrelationId == id, cancellationToken))!;
    }

    /// <summary>Whether any task of a batch waits or runs.</summary>
    public async Task<bool> HasLiveTasksAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await BatchTasks.Live(db, id).AnyAsync(cancellationToken);
    }

    /// <summary>Some of the tasks of a batch that wait, or that wait or run.</summary>
    public async Task<List<Guid>> LiveAsync(Guid id, bool alsoRunning, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await (alsoRunning ? BatchTasks.Live(db, id) : BatchTasks.Waiting(db, id)).Select(t => t.CorrelationId).Take(max).ToListAsync(cancellationToken);
    }

    /// <summary>The tasks of a batch in the order of their lines, one after the other: results may be large.</summary>
    public async IAsyncEnumerable<EndedBatchItem> EndedAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var cipher = db.GetService<DataCipher>();
        for (var (after, count) = (Guid.Empty, Page); count == Page;)
        {
            count = 0;
            await foreach (var line in db.Tasks.AsNoTracking().Where(t => t.BatchId == id && t.CorrelationId > after).OrderBy(t => t.CorrelationId).Take(Page)
                .Select(t => new EndedBatchItem(t.CorrelationId, t.State, t.Result, t.Error, t.Headers)).AsAsyncEnumerable().WithCancellation(cancellationToken))
            {
                (after, count) = (line.Id, count + 1);
                yield return TaskCipher.Open(cipher, line);
            }
        }
    }

    /// <summary>The bad lines of a batch in their order.</summary>
    public async IAsyncEnumerable<InvalidBatchItem> BadAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await foreach (var line in db.BatchBadLines.AsNoTracking().Where(l => l.BatchId == id).OrderBy(l => l.Line).AsAsyncEnumerable().WithCancellation(cancellationToken))
            yield return db.Open(line)!;
    }

    /// <summary>Lets retention have the tasks of a batch that has ended from a time on, and forgets what was only kept for its files.</summary>
    public async Task ReleaseAsync(Guid id, DateTime deleteAt, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        for (var after = Guid.Empty; ;)
        {
            var page = db.Tasks.Where(t => t.BatchId == id && t.CorrelationId > after).OrderBy(t => t.CorrelationId).Select(t => t.CorrelationId).Take(Page);
            if (await page.ToListAsync(cancellationToken) is not { Count: > 0 } ids)
                break;
            var last = ids[^1];
            await db.Tasks.Where(t => t.BatchId == id && t.CorrelationId > after && t.CorrelationId <= last && t.DeleteAt == null)
                .ExecuteUpdateAsync(t => t.SetProperty(x => x.DeleteAt, deleteAt), cancellationToken);
            after = last;
        }

        await db.BatchBadLines.Where(l => l.BatchId == id).ExecuteDeleteAsync(cancellationToken);
        await db.BatchCounts.Where(c => c.BatchId == id).ExecuteDeleteAsync(cancellationToken);
        await db.Batches.Where(b => b.CorrelationId == id).ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, (DateTime?)null), cancellationToken);
    }
}

/// <summary>A task of a batch that has ended.</summary>
public sealed record EndedBatchItem(Guid Id, int State, string? Result, string? Error, string? Headers);
