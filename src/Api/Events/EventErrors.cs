using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Events;

/// <summary>The errors of events as a caller sees them. Only where values are hidden are the tasks of events with errors read.</summary>
internal sealed class EventErrors(ITaskQueries queries, Redaction redaction, Caller caller)
{
    /// <summary>Payloads in memory at a time, for each listener.</summary>
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
            // What the payload of a task that is gone had to hide is not known.
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
