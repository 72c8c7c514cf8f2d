using System.Globalization;
using TaskQueue.Engine.Schedules;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Quarantines schedules that cannot fire. A quarantined schedule has no next tick; changing or releasing it computes one.
/// </summary>
internal sealed class ScheduleQuarantine(IParkingStore store, QuarantineWriter quarantine, ScheduleSignal signal, TimeProvider time)
    : IQuarantineKind
{
    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Schedule];

    /// <summary>Quarantines a schedule.</summary>
    /// <returns>Why it could not be quarantined, or null.</returns>
    public async Task<Exception?> SetAsideAsync(ScheduleRecord schedule, string reason, CancellationToken cancellationToken)
    {
        var (id, tick) = (schedule.Id, schedule.NextAt);
        var item = new QuarantinedItem
        {
            Kind = QuarantineKinds.Schedule, Subject = id.ToString(CultureInfo.InvariantCulture), Queue = schedule.Queue,
            Owner = schedule.Settings.Owner,
            Reason = $"schedule {schedule.Name}: {reason}",
        };
        return await quarantine.TryAddAsync(item, () => store.ParkScheduleAsync(item, id, tick, cancellationToken), cancellationToken);
    }

    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var id = int.Parse(item.Subject, CultureInfo.InvariantCulture);
        if (await store.FindScheduleAsync(id, cancellationToken) is not { } schedule)
            return "the schedule is gone: drop the item";
        if (schedule.Settings.Paused || schedule.NextAt is not null)
            return null;
        DateTime? next;
        try
        {
            next = CronSchedule.Parse(schedule.Settings.Cron, schedule.Settings.TimeZone).Next(Micros.Now(time));
        }
        catch (InvalidScheduleException unreadable)
        {
            return $"schedule {schedule.Name} of queue {schedule.Queue} still cannot be read ({unreadable.Message}): change it, or drop "
                + "the item";
        }

        await store.UnparkScheduleAsync(schedule, next, cancellationToken);
        signal.Changed();
        return null;
    }

    /// <summary>The schedule stays, without a next tick, until it is changed or resumed.</summary>
    public Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken) => Task.FromResult<string?>(null);
}
