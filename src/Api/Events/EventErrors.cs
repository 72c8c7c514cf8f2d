using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Events;

/// <summary>Redacts errors of events for a caller. Reads the tasks of events with errors only if redaction is on.</summary>
internal sealed class EventErrors(ITaskQueries queries, Redaction redaction, Caller caller)
{
    /// <summary>Maximum number of payloads in memory per listener.</summary>
    private const int MaxPayloads = 10;

    public async ValueTask<Func<TaskEvent, string?>> OfAsync(EventBatch batch, CancellationToken cancellationToken)
    {
        var redactor = redaction.For(caller);
        if (!redactor.IsOn)
            return e => e.Error;
        var failed = batch.Events.Select(e => e.Event).Where(e => e.Error is not null).ToLookup(e => e.TaskId);
        var shown = new Dictionary<TaskEvent, string?>(ReferenceEqualityComparer.Instance);
        foreach (var tasks in failed.Chunk(MaxPayloads))
        {
            var payloads = await PayloadsAsync([.. tasks.Select(t => t.Key)], cancellationToken);
            // The payload of a deleted task is unknown, and so are the values to hide.
            foreach (var e in tasks.SelectMany(t => t))
                shown[e] = payloads.TryGetValue(e.TaskId, out var payload) ? redactor.Error(e.Error, payload) : Redactor.Hidden;
        }

        return e => shown.GetValueOrDefault(e);
    }

    private async Task<Dictionary<Guid, string>> PayloadsAsync(Guid[] ids, CancellationToken cancellationToken)
    {
        try
        {
            return (await queries.FindManyAsync(ids, Access.All, cancellationToken)).ToDictionary(t => t.CorrelationId, t => t.Payload);
        }
        catch (UnreadableDataException)
        {
            return [];
        }
    }
}
