using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Tasks;

/// <summary>Reads of tasks; nothing here changes anything.</summary>
public sealed class TaskQueries(IDbContextFactory<TaskDbContext> databases)
{
    /// <summary>One task, or null.</summary>
    public async Task<TaskState?> FindAsync(Guid id, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        return await db.Tasks.AsNoTracking().SingleOrDefaultAsync(t => t.CorrelationId == id, stop);
    }

    /// <summary>The newest tasks, all or of one state.</summary>
    public async Task<List<TaskState>> NewestAsync(int? state, int max, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        var tasks = db.Tasks.AsNoTracking();
        if (state is { } wanted)
            tasks = tasks.Where(t => t.State == wanted);
        return await tasks.OrderByDescending(t => t.CorrelationId).Take(max).ToListAsync(stop);
    }

    /// <summary>The timeline of a task, oldest first.</summary>
    public async Task<List<TaskEvent>> TimelineAsync(Guid id, CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        return await db.TaskEvents.AsNoTracking().Where(e => e.TaskId == id).OrderBy(e => e.Id).ToListAsync(stop);
    }
}
