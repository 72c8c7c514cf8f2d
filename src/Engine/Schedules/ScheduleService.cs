using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Schedules;

/// <summary>Outcome of a change to a schedule.</summary>
public enum ScheduleChange
{
    /// <summary>The change is committed.</summary>
    Done,

    /// <summary>The schedule does not exist.</summary>
    NotFound,

    /// <summary>The stored version differs from the expected one.</summary>
    VersionMismatch,

    /// <summary>The queue has a schedule of this name.</summary>
    NameTaken,

    /// <summary>The queue does not exist.</summary>
    QueueNotFound,

    /// <summary>The limit on schedules of the queue is reached.</summary>
    QueueFull,

    /// <summary>The limit on schedules is reached.</summary>
    Full,
}

/// <summary>Limits on the schedules that an API may create.</summary>
/// <param name="PerQueue">Maximum in a queue.</param>
/// <param name="Max">Maximum in all queues.</param>
public sealed record ScheduleQuota(int PerQueue, int Max);

/// <summary>Creates, changes and deletes schedules.</summary>
public sealed class ScheduleService(
    IScheduleStore store, TaskService tasks, ScheduleSignal signal, TenantQuotas quotas, QuotaMetrics refusals, TimeProvider time)
{
    /// <summary>Creates a schedule of a declared queue.</summary>
    /// <exception cref="InvalidScheduleException">The cron expression or the time zone is invalid.</exception>
    /// <exception cref="InvalidSubmissionException">Its tasks would be invalid.</exception>
    /// <exception cref="QuotaExceededException">The owner's limit on schedules is reached.</exception>
    public async Task<(ScheduleChange Change, ScheduleRecord? Schedule)> CreateAsync(string queue, string name, ScheduleSettings settings,
        ScheduleQuota? quota = null)
    {
        tasks.Check(ScheduledTasks.Of(queue, settings, Guid.Empty, time.GetUtcNow().UtcDateTime));
        var now = Micros.Now(time);
        var schedule = new ScheduleRecord { Queue = queue, Name = name, Settings = settings, CreatedAt = now, UpdatedAt = now,
            NextAt = NextOf(settings, now) };
        var limit = quotas.Of(settings.Owner).Schedules;
        var result = await store.TryAddAsync(schedule, quota, limit);
        if (result.Used is { } used)
            throw refusals.Refused(new QuotaExceededException(QuotaResource.Schedules, settings.Owner!, limit!.Value, used));
        if (result.Change != ScheduleChange.Done)
            return (result.Change, null);
        signal.Changed();
        return (ScheduleChange.Done, schedule);
    }

    /// <summary>
    /// Replaces the settings of a schedule and increments its version. The next tick is computed anew only if the cron expression, the time
    /// zone or the pause changes.
    /// </summary>
    /// <exception cref="InvalidScheduleException">The cron expression or the time zone is invalid.</exception>
    /// <exception cref="InvalidSubmissionException">Its tasks would be invalid.</exception>
    public async Task<(ScheduleChange Change, ScheduleRecord? Schedule)> UpdateAsync(
        string queue, string name, Func<ScheduleSettings, ScheduleSettings> change, Access access, int? expectedVersion = null)
    {
        var result = ScheduleChange.Done;
        var schedule = await store.UpdateAsync(queue, name, found =>
        {
            result = !CanRead(access, found) ? ScheduleChange.NotFound
                : expectedVersion is { } expected && found.Version != expected ? ScheduleChange.VersionMismatch
                : ScheduleChange.Done;
            if (result != ScheduleChange.Done)
                return false;
            var before = found.Settings;
            var settings = change(before);
            if (settings.IsUnreadable)
                throw new InvalidScheduleException($"the settings of schedule {name} cannot be read: replace all of them, or delete it");
            tasks.Check(ScheduledTasks.Of(queue, settings, Guid.Empty, time.GetUtcNow().UtcDateTime));
            found.Settings = settings;
            found.Version++;
            found.UpdatedAt = Micros.Now(time);
            found.NextAt = NextOf(settings, found.UpdatedAt, before, found.NextAt);
            return true;
        });
        if (schedule is null || result == ScheduleChange.NotFound)
            return (ScheduleChange.NotFound, null);
        if (result == ScheduleChange.Done)
            signal.Changed();
        return (result, schedule);
    }

    /// <summary>Replaces the settings of a schedule.</summary>
    public Task<(ScheduleChange Change, ScheduleRecord? Schedule)> UpdateAsync(string queue, string name, ScheduleSettings settings,
        Access access, int? expectedVersion = null) =>
        UpdateAsync(queue, name, _ => settings, access, expectedVersion);

    /// <summary>Pauses a schedule, or resumes it with the next tick from now.</summary>
    public Task<(ScheduleChange Change, ScheduleRecord? Schedule)> PauseAsync(string queue, string name, bool paused, Access access) =>
        UpdateAsync(queue, name, settings => settings with { Paused = paused }, access);

    /// <summary>Deletes a schedule; tasks that it submitted stay.</summary>
    /// <returns>Whether the schedule existed.</returns>
    public async Task<bool> DeleteAsync(string queue, string name, Access access) =>
        await FindAsync(queue, name, access) is { Id: var id } && await store.DeleteAsync(id);

    /// <summary>Submits a task of a schedule now, paused or not, without affecting its ticks.</summary>
    /// <returns>The submit result; null if the schedule does not exist.</returns>
    public async Task<SubmitResult?> RunNowAsync(string queue, string name, Access access)
    {
        if (await FindAsync(queue, name, access) is not { } schedule)
            return null;
        var task = ScheduledTasks.Of(queue, schedule.Settings, TaskId.New(time), time.GetUtcNow().UtcDateTime, schedule.Id);
        return await tasks.SubmitAsync(task);
    }

    /// <summary>Finds a schedule; null if there is none that the caller may see.</summary>
    public async Task<ScheduleRecord?> FindAsync(string queue, string name, Access access) =>
        await store.FindAsync(queue, name) is { } found && CanRead(access, found) ? found : null;

    /// <summary>Lists the schedules of a queue that the caller may see, by name.</summary>
    public Task<List<ScheduleRecord>> ListAsync(string queue, Access access) => store.ListAsync(queue, access);

    /// <summary>
    /// A page of the schedules of all queues that the caller may see, by queue and name; it may end early, and even be empty.
    /// </summary>
    public Task<FoundSchedules> ListAllAsync(Access access, (string Queue, string Name)? after, int max, ReserveAnswer reserve,
        CancellationToken cancellationToken) => store.ListAllAsync(access, after, max, reserve, cancellationToken);

    /// <summary>The next ticks of a cron expression, UTC.</summary>
    /// <exception cref="InvalidScheduleException">The cron expression or the time zone is invalid.</exception>
    public IReadOnlyList<DateTime> Preview(string cron, string timeZone, int count)
    {
        var ticks = CronSchedule.Parse(cron, timeZone);
        return ticks.Next(time.GetUtcNow().UtcDateTime) is { } next ? [next, .. ticks.Upcoming(next, count - 1)] : [];
    }

    private static bool CanRead(Access access, ScheduleRecord schedule) => access.CanRead(schedule.Settings.Owner, schedule.Queue);

    /// <summary>Why this host cannot fire a schedule, such as a missing time zone; null if it can.</summary>
    public static string? ProblemOf(ScheduleRecord schedule)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        if (schedule.Settings.IsUnreadable)
            return "the settings cannot be read: replace all of them, or delete the schedule";
        try
        {
            CronSchedule.Parse(schedule.Settings.Cron, schedule.Settings.TimeZone);
            return null;
        }
        catch (InvalidScheduleException problem)
        {
            return problem.Message;
        }
    }

    /// <summary>The next ticks of a schedule, UTC; empty while it is paused, and if this host cannot read it.</summary>
    public static IReadOnlyList<DateTime> Upcoming(ScheduleRecord schedule, int count) =>
        schedule.NextAt is { } next && ProblemOf(schedule) is null
            ? [next, .. CronSchedule.Parse(schedule.Settings.Cron, schedule.Settings.TimeZone).Upcoming(next, count - 1)] : [];

    private static DateTime? NextOf(ScheduleSettings settings, DateTime now, ScheduleSettings? before = null, DateTime? planned = null)
    {
        if (before is not null && (settings.Cron, settings.TimeZone) == (before.Cron, before.TimeZone))
        {
            if (settings.Paused)
                return null; // a host that cannot read it can still pause it
            if (!before.Paused && planned is not null)
                return planned; // also if it is overdue: no tick is lost
        }

        var next = CronSchedule.Parse(settings.Cron, settings.TimeZone).Next(now);
        return settings.Paused ? null : next;
    }
}
