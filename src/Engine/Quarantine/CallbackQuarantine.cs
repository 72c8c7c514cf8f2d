using System.Globalization;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Quarantines callbacks that cannot be sent or recorded. A quarantined callback is failed without a finish time, so that it is kept.
/// </summary>
internal sealed class CallbackQuarantine(IParkingStore store, QuarantineWriter quarantine, PostCommitNotifier postCommit,
    TimeProvider time) : IQuarantineKind
{
    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Callback];

    /// <summary>Quarantines a callback.</summary>
    /// <returns>Why it could not be quarantined, or null.</returns>
    public async Task<Exception?> SetAsideAsync(Callback callback, Exception reason, CancellationToken cancellationToken)
    {
        var item = new QuarantinedItem
        {
            Kind = QuarantineKinds.Callback, Subject = callback.Id.ToString(CultureInfo.InvariantCulture), Owner = callback.Owner,
            Reason = $"to be sent to {callback.Url}: {PoisonRules.Reason(reason)}",
        };
        return await quarantine.TryAddAsync(item, () => store.ParkCallbackAsync(item, callback, cancellationToken), cancellationToken);
    }

    /// <summary>Sends the callback again, with an empty delivery log.</summary>
    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var (id, now) = (long.Parse(item.Subject, CultureInfo.InvariantCulture), Micros.Now(time));
        var released = await store.UnparkCallbackAsync(id, now, cancellationToken);
        postCommit.Callbacks.Set();
        return released ? null : $"callback {item.Subject} was sent, or is gone: drop the item";
    }

    /// <summary>Marks the callback as failed; retention removes it like others.</summary>
    public async Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var (id, now) = (long.Parse(item.Subject, CultureInfo.InvariantCulture), Micros.Now(time));
        await store.EndCallbackAsync(id, now, cancellationToken);
        return null;
    }
}
