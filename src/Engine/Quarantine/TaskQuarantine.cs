using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Quarantines tasks that a sweep cannot process. The timestamp that the sweep selects by is cleared, so that the sweep skips the task, and
/// saved in the item.
/// </summary>
internal sealed class TaskQuarantine(IParkingStore store, QuarantineWriter quarantine, TaskService taskService, TimeProvider time)
    : IQuarantineKind
{
    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Lease, QuarantineKinds.Dispatch, QuarantineKinds.Expiry];

    /// <summary>
    /// Quarantines a task that a sweep failed to process. If its row cannot be changed, it is listed without being parked.
    /// </summary>
    /// <returns>Whether the sweep now skips it; and why it could not be listed.</returns>
    public async Task<(bool IsParked, Exception? Fault)> SetAsideAsync(Sweep sweep, Guid id, Exception reason,
        CancellationToken cancellationToken)
    {
        var item = new QuarantinedItem { Kind = KindOf(sweep), Subject = id.ToString(), Reason = PoisonRules.Reason(reason) };
        if (await quarantine.TryAddAsync(item, () => store.ParkTaskAsync(item, sweep, id, cancellationToken), cancellationToken) is null)
            return (true, null);
        item.State = null;
        return (false, await quarantine.AddAsync(item, cancellationToken));
    }

    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        if (item.State is null)
            return null; // the row was never changed: the sweep retries
        var (id, now) = (Guid.Parse(item.Subject), Micros.Now(time));
        return await store.UnparkTaskAsync(item.Kind, id, ParkedTimes.Parse(item.State), now, cancellationToken)
            ? null
            : $"task {item.Subject} has moved on, or is gone: drop the item";
    }

    public async Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var id = Guid.Parse(item.Subject);
        // A task that recovered in the meantime, such as by a late heartbeat, must not be dropped.
        if (item.State is null || !await store.IsTaskParkedAsync(item.Kind, id, cancellationToken))
            return null;
        try
        {
            await taskService.CancelAsync(id, Access.All);
            return null;
        }
        catch (Exception fault) when (StorageFaults.IsOfRow(fault))
        {
            // Without the texts that the state machine reads, it may still be cancelled.
        }

        try
        {
            await store.StripTaskAsync(id, $"given up by an operator: {item.Reason}", cancellationToken);
            await taskService.CancelAsync(id, Access.All);
            return null;
        }
        catch (Exception fault) when (StorageFaults.IsOfRow(fault))
        {
            return $"task {item.Subject} cannot be cancelled either ({PoisonRules.Reason(fault)}): repair its row by hand";
        }
    }

    private static string KindOf(Sweep sweep) => sweep switch
    {
        Sweep.ExpiredLease => QuarantineKinds.Lease,
        Sweep.Dispatch => QuarantineKinds.Dispatch,
        _ => QuarantineKinds.Expiry,
    };
}
