using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Ids;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>Tells what callbacks are about: the end of a task, or of a batch.</summary>
public sealed class CallbackEvents(IBatchQueries batches)
{
    /// <summary>The envelopes of callbacks, by the number of the callback.</summary>
    public async Task<IReadOnlyDictionary<long, CallbackEnvelope>> OfAsync(IReadOnlyCollection<Callback> callbacks)
    {
        var ids = callbacks.Select(c => c.SubjectId).ToList();
        var known = (await batches.StatusesAsync(ids)).ToDictionary(b => b.Id);
        return callbacks.ToDictionary(c => c.Id, c =>
        {
            // Without an origin it is from before callbacks had owners.
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
