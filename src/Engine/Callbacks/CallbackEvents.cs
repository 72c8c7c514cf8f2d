using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Tells what callbacks are about: the end of a task, or of a batch.</summary>
public sealed class CallbackEvents(IDbContextFactory<TaskDbContext> databases)
{
    /// <summary>The envelopes of callbacks, by the number of the callback.</summary>
    public async Task<IReadOnlyDictionary<long, CallbackEnvelope>> OfAsync(IReadOnlyCollection<Callback> callbacks)
    {
        var ids = callbacks.Select(c => c.SubjectId).ToList();
        await using var db = await databases.CreateDbContextAsync();
        var batches = await db.Batches.AsNoTracking().Where(b => ids.Contains(b.CorrelationId))
            .Select(b => new { b.CorrelationId, b.Owner, b.State }).ToListAsync();
        var known = batches.ToDictionary(b => b.CorrelationId);
        return callbacks.ToDictionary(c => c.Id, c =>
        {
            // Without an origin it is from before callbacks had owners.
            if (known.GetValueOrDefault(c.SubjectId) is { } batch && (batch.Owner == c.Owner || c.Origin is null))
                return new CallbackEnvelope($"batch.{Word(batch.State)}", batch.Owner, BellaBatchId.Format(c.SubjectId));
            return new CallbackEnvelope(CallbackEnvelope.TaskCompleted, c.Owner, BellaTaskId.Format(c.SubjectId));
        });
    }

    private static string Word(int state) => state switch
    {
        BatchStates.Failed => "failed",
        BatchStates.Expired => "expired",
        BatchStates.Cancelled => "cancelled",
        _ => "completed",
    };
}
