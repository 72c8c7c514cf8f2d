using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Storage.Callbacks;

/// <summary>Lists of table <c>callbacks</c> in EF Core.</summary>
internal sealed class CallbackQueries(IDbContextFactory<TaskDbContext> databases) : ICallbackQueries
{
    /// <summary>
    /// Callbacks that a page looks at. They are read by their key: an index for each filter would cost every callback that is written.
    /// </summary>
    internal const int Window = 5000;

    public async Task<CallbackPage> ListAsync(
        CallbackFilter filter, long? before, int max, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var from = before ?? long.MaxValue;
        var floor = await db.Callbacks.Where(c => c.Id < from).OrderByDescending(c => c.Id).Select(c => c.Id).Skip(Window - 1)
            .FirstOrDefaultAsync(cancellationToken);
        var rows = Visible(db, db.Callbacks.Where(c => c.Id >= floor && c.Id < from), access);
        if (filter.State is { } state)
            rows = rows.Where(c => c.State == state);
        if (filter.Queue is { } queue)
            rows = rows.Where(c => db.Submitted.Any(t => t.CorrelationId == c.SubjectId && t.Queue == queue)
                || db.Batches.Any(b => b.CorrelationId == c.SubjectId && b.Queue == queue));
        var found = await rows.OrderByDescending(c => c.Id).Take(max + 1).Select(c => new
        {
            c.Id, c.SubjectId, c.Url, c.State, c.Attempts, c.DueAt, c.Log, c.CreatedAt, c.FinishedAt, c.Owner,
            Queue = db.Submitted.Where(t => t.CorrelationId == c.SubjectId).Select(t => t.Queue).FirstOrDefault()
                ?? db.Batches.Where(b => b.CorrelationId == c.SubjectId).Select(b => b.Queue).FirstOrDefault(),
        }).ToListAsync(cancellationToken);
        var shown = found.Take(max).Select(c => new ListedCallback(
            new Callback
            {
                Id = c.Id, SubjectId = c.SubjectId, Url = c.Url, State = c.State, Attempts = c.Attempts, DueAt = c.DueAt, Log = c.Log,
                CreatedAt = c.CreatedAt, FinishedAt = c.FinishedAt, Owner = c.Owner,
            },
            c.Queue)).ToList();
        return new CallbackPage(shown, found.Count > max ? shown[^1].Callback.Id : floor > 0 ? floor : null);
    }

    /// <summary>A callback stores the owner but not the queue, and outlives its task.</summary>
    private static IQueryable<Callback> Visible(TaskDbContext db, IQueryable<Callback> rows, Access access)
    {
        if (access.SeesAllTenants)
            return rows;
        var tenant = access.Own.IsAll && !access.InQueuesOnly ? access.Tenant : null;
        var (tasks, batches) = (access.Filter(db.Submitted), access.Filter(db.Batches));
        return rows.Where(c => (tenant != null && c.Owner == tenant) || tasks.Any(t => t.CorrelationId == c.SubjectId)
            || batches.Any(b => b.CorrelationId == c.SubjectId));
    }
}
