using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Ids;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>Resolves the event of callbacks: the end of a task or of a batch.</summary>
public sealed class CallbackEvents(IBatchQueries batches)
{
    /// <summary>Envelopes by callback number.</summary>
    public async Task<IReadOnlyDictionary<long, CallbackEnvelope>> OfAsync(IReadOnlyCollection<Callback> callbacks)
    {
        var ids = callbacks.Select(c => c.SubjectId).ToList();
        var known = (await batches.StatusesAsync(ids)).ToDictionary(b => b.Id);
        return callbacks.ToDictionary(c => c.Id, c =>
        {
            // A callback without an origin was created before callbacks had owners.
            if (known.GetValueOrDefault(c.SubjectId) is { } batch && (batch.Owner == c.Owner || c.Origin is null))
                return new CallbackEnvelope($"batch.{Word(batch.State)}", batch.Owner, BatchId.Format(c.SubjectId));
            return new CallbackEnvelope(CallbackEnvelope.TaskCompleted, c.Owner, NumberedTaskId.Format(c.SubjectId));
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
