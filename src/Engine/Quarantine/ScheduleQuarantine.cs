using System.Globalization;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Schedules that cannot be fired. One that is set aside has no next tick; a change of it, or a release, finds one.</summary>
internal sealed class ScheduleQuarantine(IDbContextFactory<TaskDbContext> databases, QuarantineStore quarantine, ScheduleSignal signal, TimeProvider time) : IQuarantineKind
{
    public IReadOnlyCollection<string> Kinds { get; } = [QuarantineKinds.Schedule];

    /// <summary>Sets a schedule aside.</summary>
    /// <returns>Why it could not be, or null.</returns>
    public async Task<Exception?> SetAsideAsync(ScheduleRecord schedule, string reason, CancellationToken cancellationToken)
    {
        var (id, tick) = (schedule.Id, schedule.NextAt);
        var item = new QuarantinedItem
        {
            Kind = QuarantineKinds.Schedule, Subject = id.ToString(CultureInfo.InvariantCulture), Queue = schedule.Queue, Owner = schedule.Settings.Owner,
            Reason = $"schedule {schedule.Name}: {reason}",
        };
        return await quarantine.TryAddAsync(
            item,
            async db => await db.Schedules.Where(s => s.Id == id && s.NextAt == tick).ExecuteUpdateAsync(s => s.SetProperty(x => x.NextAt, (DateTime?)null), cancellationToken) > 0,
            cancellationToken);
    }

    /// <summary>A change or the deletion of a schedule ends its item.</summary>
    public static Task ForgetAsync(TaskDbContext db, int id)
    {
        var subject = id.ToString(CultureInfo.InvariantCulture);
        return db.Quarantine.Where(q => q.Kind == QuarantineKinds.Schedule && q.Subject == subject).ExecuteDeleteAsync();
    }

    public async Task<string?> ReleaseAsync(QuarantinedItem item, CancellationToken cancellationToken)
    {
        var id = int.Parse(item.Subject, CultureInfo.InvariantCulture);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (await db.Schedules.AsNoTracking().SingleOrDefaultAsync(s => s.Id == id, cancellationToken) is not { } schedule)
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
            return $"schedule {schedule.Name} of queue {schedule.Queue} still cannot be read ({unreadable.Message}): change it, or drop the item";
        }

        await db.Schedules.Where(s => s.Id == id && s.NextAt == null && s.Version == schedule.Version).ExecuteUpdateAsync(s => s.SetProperty(x => x.NextAt, next), cancellationToken);
        signal.Changed();
        return null;
    }

    /// <summary>The schedule stays, without a next tick, until somebody changes or resumes it.</summary>
    public Task<string?> DropAsync(QuarantinedItem item, CancellationToken cancellationToken) => Task.FromResult<string?>(null);
}
