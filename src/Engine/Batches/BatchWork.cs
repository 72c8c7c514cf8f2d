using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>What a scheduler needs to work on batches: the right to do so, their tasks and their bad lines.</summary>
public sealed class BatchWork(IDbContextFactory<TaskDbContext> databases, TimeProvider time)
{
    /// <summary>Another scheduler takes over a batch whose worker has said nothing for so long.</summary>
    public static readonly TimeSpan Hold = TimeSpan.FromMinutes(1);

    /// <summary>Takes a batch for this process, or renews that; null where another one works on it.</summary>
    public async Task<BatchState?> TakeAsync(Guid id, bool renew)
    {
        var now = Micros.Now(time);
        await using var db = await databases.CreateDbContextAsync();
        var taken = await db.Batches.Where(b => b.CorrelationId == id && (renew || b.WorkedUntil == null || b.WorkedUntil < now))
            .ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, now + Hold));
        return taken == 0 ? null : await db.Batches.AsNoTracking().SingleAsync(b => b.CorrelationId == id);
    }

    /// <summary>Leaves a batch to whoever comes next.</summary>
    public async Task LeaveAsync(Guid id)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Batches.Where(b => b.CorrelationId == id).ExecuteUpdateAsync(b => b.SetProperty(x => x.WorkedUntil, (DateTime?)null));
    }

    /// <summary>Some of the tasks of a batch that wait, or that wait or run.</summary>
    public async Task<List<Guid>> LiveAsync(Guid id, bool alsoRunning, int max)
    {
        await using var db = await databases.CreateDbContextAsync();
        var live = BatchTasks.Live(db, id);
        return await (alsoRunning ? live : live.Where(t => t.State != TaskStates.Running)).Select(t => t.CorrelationId).Take(max).ToListAsync();
    }

    /// <summary>The tasks of a batch behind one, in the order of their lines.</summary>
    public async Task<List<EndedLine>> EndedAsync(Guid id, Guid after, int max)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Tasks.AsNoTracking().Where(t => t.BatchId == id && t.CorrelationId > after).OrderBy(t => t.CorrelationId).Take(max)
            .Select(t => new EndedLine(t.CorrelationId, t.State, t.Result, t.Error, t.Headers)).ToListAsync();
    }

    /// <summary>The bad lines of a batch behind one.</summary>
    public async Task<List<BatchBadLine>> BadAsync(Guid id, int after, int max)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.BatchBadLines.AsNoTracking().Where(l => l.BatchId == id && l.Line > after).OrderBy(l => l.Line).Take(max).ToListAsync();
    }

    /// <summary>Lets retention have the tasks of a batch that is written down, from a time on.</summary>
    public async Task ReleaseAsync(Guid id, DateTime deleteAt)
    {
        const int Chunk = 1000;
        await using var db = await databases.CreateDbContextAsync();
        while (await db.Tasks.Where(t => t.BatchId == id && t.DeleteAt == null).Select(t => t.CorrelationId).Take(Chunk).ToListAsync() is { Count: > 0 } ids)
            await db.Tasks.Where(t => ids.Contains(t.CorrelationId)).ExecuteUpdateAsync(t => t.SetProperty(x => x.DeleteAt, deleteAt));
    }
}

/// <summary>A task of a batch that has ended.</summary>
public sealed record EndedLine(Guid Id, int State, string? Result, string? Error, string? Headers);
