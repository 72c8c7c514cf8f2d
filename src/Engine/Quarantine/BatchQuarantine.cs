using System.Text.Json;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Quarantines batches that cannot be validated, expanded or finished. A quarantined batch is leased forever, to no process.
/// </summary>
internal sealed class BatchQuarantine(
    IParkingStore store, QuarantineWriter quarantine, IBatchStore batchStore, TaskService tasks, PostCommitNotifier postCommit,
    TimeProvider time) : IQuarantineKind
{
    private const int Group = 500;

    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Batch];

    /// <summary>Quarantines an unleased batch.</summary>
    /// <returns>Why it could not be quarantined, or null.</returns>
    public async Task<Exception?> SetAsideAsync(Guid id, Exception reason, CancellationToken cancellationToken)
    {
        var item = new QuarantinedItem { Kind = QuarantineKinds.Batch, Subject = BatchId.Format(id), Reason = PoisonRules.Reason(reason),
            State = id.ToString() };
        var now = Micros.Now(time);
        return await quarantine.TryAddAsync(item, () => store.ParkBatchAsync(item, id, now, cancellationToken), cancellationToken);
    }

    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var (id, now) = (Guid.Parse(item.State!), Micros.Now(time));
        var released = await store.UnparkBatchAsync(id, now.AddSeconds(-1), cancellationToken);
        postCommit.Batches.Set();
        return released ? null : $"{item.Subject} is not quarantined, or is gone: drop the item";
    }

    /// <summary>
    /// Fails the batch with the reason, without files, and cancels its remaining tasks. A batch that moved on or has ended is unchanged.
    /// </summary>
    public async Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var (id, now) = (Guid.Parse(item.State!), Micros.Now(time));
        var errors = JsonSerializer.Serialize([new BatchInputError("given_up", $"given up by an operator: {item.Reason}", null, null)],
            BatchJson.Instance.IReadOnlyListBatchInputError);
        if (!await store.FailBatchAsync(id, errors, now, now.AddSeconds(-1), cancellationToken))
            return null;
        while (await batchStore.LiveAsync(id, alsoRunning: true, Group, cancellationToken) is { Count: > 0 } ids)
        {
            var commands = await tasks.ApplyAsync(ids.ConvertAll(task => new CancelTask(task, now)), Access.All);
            if (!commands.Any(c => c.CommandResult == CommandResult.Applied))
                break;
        }

        return null;
    }
}
