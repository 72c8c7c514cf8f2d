using Microsoft.EntityFrameworkCore;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Schedules;

/// <summary>What became of a change.</summary>
public enum ScheduleChange
{
    /// <summary>It was made.</summary>
    Done,

    /// <summary>There is no such schedule.</summary>
    NotFound,

    /// <summary>Its version is not the expected one.</summary>
    VersionMismatch,

    /// <summary>The queue has a schedule of this name.</summary>
    NameTaken,

    /// <summary>There is no such queue.</summary>
    QueueNotFound,

    /// <summary>The queue has as many schedules as may be.</summary>
    QueueFull,

    /// <summary>There are as many schedules as may be.</summary>
    Full,
}

/// <summary>How many schedules a door may make.</summary>
/// <param name="PerQueue">At most so many in a queue.</param>
/// <param name="Max">At most so many in all.</param>
public sealed record ScheduleQuota(int PerQueue, int Max);

/// <summary>What can be done with schedules.</summary>
public sealed class ScheduleService(
    IDbContextFactory<TaskDbContext> databases, TaskService tasks, ScheduleSignal signal, TenantQuotas quotas, QuotaMetrics refusals, TimeProvider time)
{
    /// <summary>Makes a schedule of a declared queue.</summary>
    /// <exception cref="InvalidScheduleException">The cron or the time zone is wrong.</exception>
    /// <exception cref="InvalidSubmissionException">Its tasks would break a rule.</exception>
    /// <exception cref="QuotaExceededException">The owner has as many schedules as may be.</exception>
    public async Task<(ScheduleChange Change, ScheduleRecord? Schedule)> CreateAsync(string queue, string name, ScheduleSettings settings, ScheduleQuota? quota = null)
    {
        tasks.Check(ScheduledTasks.Of(queue, settings, Guid.Empty, time.GetUtcNow().UtcDateTime));
        var now = Micros.Now(time);
        var schedule = new ScheduleRecord { Queue = queue, Name = name, Settings = settings, CreatedAt = now, UpdatedAt = now, NextAt = NextOf(settings, now) };
        await using var db = await databases.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        if (await ObstacleAsync(db, queue, name, settings.Owner, quota) is { } obstacle)
            return (obstacle, null);
        db.Schedules.Add(schedule);
        await db.SaveChangesAsync();
        await transaction.CommitAsync();
        signal.Changed();
        return (ScheduleChange.Done, schedule);
    }

    /// <summary>What is in the way of a new schedule; what is found stays true until the transaction ends.</summary>
    private async Task<ScheduleChange?> ObstacleAsync(TaskDbContext db, string queue, string name, string? owner, ScheduleQuota? quota)
    {
        var limit = quotas.Of(owner).Schedules;
        if (quota is not null || limit is not null)
            await db.LockQueueAsync(BuiltInQueues.Tasks); // one counts all schedules at a time
        if (!await db.LockQueueAsync(queue))
            return ScheduleChange.QueueNotFound;
        if (await db.Schedules.CountAsync(s => s.Queue == queue) >= quota?.PerQueue)
            return ScheduleChange.QueueFull;
        if (await db.Schedules.CountAsync() >= quota?.Max)
            return ScheduleChange.Full;
        if (await db.Schedules.AnyAsync(s => s.Queue == queue && s.Name == name))
            return ScheduleChange.NameTaken;
        return limit is { } most && await QuotaUsage.SchedulesAsync(db, owner!) is var used && used >= most
            ? throw refusals.Refused(new QuotaExceededException(QuotaResource.Schedules, owner!, most, used))
            : null;
    }

    /// <summary>Replaces the settings of a schedule; its version grows by one, and its next tick is found anew.</summary>
    /// <exception cref="InvalidScheduleException">The cron or the time zone is wrong.</exception>
    /// <exception cref="InvalidSubmissionException">Its tasks would break a rule.</exception>
    public async Task<(ScheduleChange Change, ScheduleRecord? Schedule)> UpdateAsync(
        string queue, string name, Func<ScheduleSettings, ScheduleSettings> change, Access access, int? expectedVersion = null)
    {
        while (true)
        {
            await using var db = await databases.CreateDbContextAsync();
            if (db.Open(await db.Schedules.SingleOrDefaultAsync(s => s.Queue == queue && s.Name == name)) is not { } schedule || !CanRead(access, schedule))
                return (ScheduleChange.NotFound, null);
            if (expectedVersion is { } expected && schedule.Version != expected)
                return (ScheduleChange.VersionMismatch, schedule);
            var settings = change(schedule.Settings);
            if (settings.IsUnreadable)
                throw new InvalidScheduleException($"the settings of schedule {name} cannot be read: replace all of them, or delete it");
            tasks.Check(ScheduledTasks.Of(queue, settings, Guid.Empty, time.GetUtcNow().UtcDateTime));
            var before = schedule.Settings;
            schedule.Settings = settings;
            schedule.Version++;
            schedule.UpdatedAt = Micros.Now(time);
            schedule.NextAt = NextOf(settings, schedule.UpdatedAt, before);
            try
            {
                await db.SaveChangesAsync();
                await ScheduleQuarantine.ForgetAsync(db, schedule.Id);
            }
            catch (DbUpdateConcurrencyException)
            {
                continue; // somebody else changed or deleted it in between
            }

            signal.Changed();
            return (ScheduleChange.Done, schedule);
        }
    }

    /// <summary>Replaces the settings of a schedule.</summary>
    public Task<(ScheduleChange Change, ScheduleRecord? Schedule)> UpdateAsync(string queue, string name, ScheduleSettings settings, Access access, int? expectedVersion = null) =>
        UpdateAsync(queue, name, _ => settings, access, expectedVersion);

    /// <summary>Stops a schedule, or lets it go on with the next tick from now.</summary>
    public Task<(ScheduleChange Change, ScheduleRecord? Schedule)> PauseAsync(string queue, string name, bool paused, Access access) =>
        UpdateAsync(queue, name, settings => settings with { Paused = paused }, access);

    /// <summary>Deletes a schedule; tasks that it made stay.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> DeleteAsync(string queue, string name, Access access)
    {
        if (await FindAsync(queue, name, access) is not { Id: var id })
            return false;
        await using var db = await databases.CreateDbContextAsync();
        await ScheduleQuarantine.ForgetAsync(db, id);
        return await db.Schedules.Where(s => s.Id == id).ExecuteDeleteAsync() > 0;
    }

    /// <summary>Makes a task of a schedule now, paused or not; its ticks go on as they would.</summary>
    /// <returns>The task that stands; null where there is no such schedule.</returns>
    public async Task<SubmitResult?> RunNowAsync(string queue, string name, Access access)
    {
        if (await FindAsync(queue, name, access) is not { } schedule)
            return null;
        var task = ScheduledTasks.Of(queue, schedule.Settings, TaskId.New(time), time.GetUtcNow().UtcDateTime);
        return await tasks.SubmitAsync(task);
    }

    /// <summary>A schedule; null where there is none that the caller may see.</summary>
    public async Task<ScheduleRecord?> FindAsync(string queue, string name, Access access)
    {
        await using var db = await databases.CreateDbContextAsync();
        return db.Open(await db.Schedules.AsNoTracking().SingleOrDefaultAsync(s => s.Queue == queue && s.Name == name)) is { } found && CanRead(access, found) ? found : null;
    }

    /// <summary>The schedules of a queue that the caller may see, by name.</summary>
    public async Task<List<ScheduleRecord>> ListAsync(string queue, Access access)
    {
        await using var db = await databases.CreateDbContextAsync();
        return db.Open((await db.Schedules.AsNoTracking().Where(s => s.Queue == queue).OrderBy(s => s.Name).ToListAsync()).FindAll(s => CanRead(access, s)));
    }

    private static bool CanRead(Access access, ScheduleRecord schedule) => access.CanRead(schedule.Settings.Owner, schedule.Queue);

    /// <summary>Why this host cannot fire a schedule, such as a time zone that it lacks; null where it can.</summary>
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

    /// <summary>The next ticks of a schedule, UTC; none while it is paused, and where this host cannot read it.</summary>
    public static IReadOnlyList<DateTime> Upcoming(ScheduleRecord schedule, int count) =>
        schedule.NextAt is { } next && ProblemOf(schedule) is null ? [next, .. CronSchedule.Parse(schedule.Settings.Cron, schedule.Settings.TimeZone).Upcoming(next, count - 1)] : [];

    private static DateTime? NextOf(ScheduleSettings settings, DateTime now, ScheduleSettings? before = null)
    {
        if (settings.Paused && before is not null && (settings.Cron, settings.TimeZone) == (before.Cron, before.TimeZone))
            return null; // a host that cannot read it can stop it
        var next = CronSchedule.Parse(settings.Cron, settings.TimeZone).Next(now);
        return settings.Paused ? null : next;
    }
}
