using System.Globalization;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Quarantines events that the broker rejects or that cannot be serialized. Subject: partition and id; the outbox keeps the event for its
/// retention.
/// </summary>
internal sealed class EventQuarantine(IParkingStore store, QuarantineWriter quarantine, IEventPublisher publisher, TimeProvider time)
    : IQuarantineKind
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Event];

    /// <summary>Lists an event that the outbox dispatcher skips.</summary>
    /// <returns>Why it could not be listed, or null.</returns>
    public async Task<Exception?> SetAsideAsync(TaskEvent e, Exception reason, CancellationToken cancellationToken) =>
        await quarantine.AddAsync(new QuarantinedItem
        {
            Kind = QuarantineKinds.Event,
            Subject = string.Create(CultureInfo.InvariantCulture, $"{e.Partition}:{e.Id}"),
            Queue = e.Queue,
            Owner = await store.OwnerOfTaskAsync(e.TaskId, cancellationToken),
            Reason = $"{e.Type} of task {e.TaskId}: {PoisonRules.Reason(reason)}",
        }, cancellationToken);

    /// <summary>Publishes the event now, after later ones of its task.</summary>
    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        if (item.Subject.Split(':') is not [var partitionText, var idText]
            || !int.TryParse(partitionText, CultureInfo.InvariantCulture, out var partition)
                || !long.TryParse(idText, CultureInfo.InvariantCulture, out var id))
            return $"{item.Subject} is not the number of an event: drop the item";
        if (await store.FindEventAsync(partition, id, cancellationToken) is not { } found)
            return "the event is gone: its retention is over; drop the item";
        try
        {
            // After a timeout the publish may still arrive: all messages are delivered at least once.
            await publisher.PublishAsync([found]).WaitAsync(Patience, time, cancellationToken);
            return null;
        }
#pragma warning disable CA1031 // reported to the operator
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return $"the event was refused again ({PoisonRules.Reason(fault)})";
        }
    }

    public Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken) => Task.FromResult<string?>(null);
}
