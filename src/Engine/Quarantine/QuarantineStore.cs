using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Keeps what was set aside in table <c>quarantine</c>.</summary>
internal sealed class QuarantineStore(IDbContextFactory<TaskDbContext> databases, TimeProvider time) : IQuarantine
{
    public async Task AddAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        item.At = Micros.Now(time);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (await CountAsync(db, item, cancellationToken))
            return;
        try
        {
            db.Add(item);
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException)
        {
            // Another process was quicker; anything else fails again here.
            db.ChangeTracker.Clear();
            if (!await CountAsync(db, item, cancellationToken))
                throw;
        }
    }

    /// <returns>Whether there was one of its kind and subject.</returns>
    private static async Task<bool> CountAsync(TaskDbContext db, QuarantinedItem item, CancellationToken cancellationToken) =>
        await db.Set<QuarantinedItem>().Where(i => i.Kind == item.Kind && i.Subject == item.Subject).ExecuteUpdateAsync(
            row => row.SetProperty(i => i.Count, i => i.Count + item.Count).SetProperty(i => i.At, item.At)
                .SetProperty(i => i.Reason, item.Reason).SetProperty(i => i.State, item.State),
            cancellationToken) > 0;
}
