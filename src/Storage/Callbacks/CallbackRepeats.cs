using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Callbacks;

/// <summary>
/// Changes of table <c>callbacks</c> that no scheduler makes. Schedulers claim only waiting callbacks, so none is in the way.
/// </summary>
internal sealed class CallbackRepeats(IDbContextFactory<TaskDbContext> databases) : ICallbackRepeats
{
    public async Task<(Callback Callback, bool IsRepeated)?> RepeatAsync(Guid subject, long id, DateTime now)
    {
        await using var db = await databases.CreateDbContextAsync();
        var callback = db.Callbacks.Where(c => c.Id == id && c.SubjectId == subject);
        var changed = await callback.Where(c => c.State != CallbackState.Waiting).ExecuteUpdateAsync(c => c
            .SetProperty(x => x.State, CallbackState.Waiting).SetProperty(x => x.DueAt, now)
            .SetProperty(x => x.FinishedAt, (DateTime?)null));
        return db.Open(await callback.AsNoTracking().SingleOrDefaultAsync()) is { } found ? (found, changed > 0) : null;
    }
}
