using Microsoft.EntityFrameworkCore;
using TaskQueue.Contracts;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Queues;
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
public sealed class ScheduleVerbs(
    IDbContextFactory<TaskDbContext> databases, TaskVerbs tasks, ScheduleSignal signal, TimeProvider time)
{
    /// <summary>Makes a schedule of a declared queue.</summary>
    /// <exception cref="InvalidScheduleException">The cron or the time zone is wrong.</exception>
    /// <exception cref="InvalidSubmissionException">Its tasks would break a rule.</exception>
    public async Task<(ScheduleChange Change, ScheduleRecord? Schedule)> CreateAsync(string queue, string name, ScheduleSettings settings, ScheduleQuota? quota = null)
    {
        tasks.Check(ScheduledTasks.Of(queue, settings, Guid.Empty, time.GetUtcNow().UtcDateTime));
        var now = Micros.Now(time);
        var schedule = new ScheduleRecord { Queue = queue, Name = name, Settings = settings, CreatedAt = now, UpdatedAt = now, NextAt = NextOf(settings, now) };
        await using var db = await databases.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        if (await ObstacleAsync(db, queue, name, quota) is { } obstacle)
            return (obstacle, null);
        db.Schedules.Add(schedule);
        await db.SaveChangesAsync();
        await transaction.CommitAsync();
        signal.Changed();
        return (ScheduleChange.Done, schedule);
    }

    /// <summary>What is in the way of a new schedule; what is found stays true until the transaction ends.</summary>
    private static async Task<ScheduleChange?> ObstacleAsync(TaskDbContext db, string queue, string name, ScheduleQuota? quota)
    {
        if (quota is not null)
            await db.LockQueueAsync(BuiltInQueues.Tasks); // one counts all schedules at a time
        if (!await db.LockQueueAsync(queue))
            return ScheduleChange.QueueNotFound;
        if (await db.Schedules.CountAsync(s => s.Queue == queue) >= quota?.PerQueue)
            return ScheduleChange.QueueFull;
        if (await db.Schedules.CountAsync() >= quota?.Max)
            return ScheduleChange.Full;
        return await db.Schedules.AnyAsync(s => s.Queue == queue && s.Name == name) ? ScheduleChange.NameTaken : null;
    }

    /// <summary>Replaces the settings of a schedule; its version grows by one, and its next tick is found anew.</summary>
    /// <exception cref="InvalidScheduleException">The cron or the time zone is wrong.</exception>
    /// <exception cref="InvalidSubmissionException">Its tasks would break a rule.</exception>
    public async Task<(ScheduleChange Change, ScheduleRecord? Schedule)> UpdateAsync(
        string queue, string name, Func<ScheduleSettings, ScheduleSettings> change, int? expectedVersion = null)
    {
        while (true)
        {
            await using var db = await databases.CreateDbContextAsync();
            if (db.Open(await db.Schedules.SingleOrDefaultAsync(s => s.Queue == queue && s.Name == name)) is not { } schedule)
                return (ScheduleChange.NotFound, null);
            if (expectedVersion is { } expected && schedule.Version != expected)
                return (ScheduleChange.VersionMismatch, schedule);
            var settings = change(schedule.Settings);
            tasks.Check(ScheduledTasks.Of(queue, settings, Guid.Empty, time.GetUtcNow().UtcDateTime));
            schedule.Settings = settings;
            schedule.Version++;
            schedule.UpdatedAt = Micros.Now(time);
            schedule.NextAt = NextOf(settings, schedule.UpdatedAt);
            try
            {
                await db.SaveChangesAsync();
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
    public Task<(ScheduleChange Change, ScheduleRecord? Schedule)> UpdateAsync(string queue, string name, ScheduleSettings settings, int? expectedVersion = null) =>
        UpdateAsync(queue, name, _ => settings, expectedVersion);

    /// <summary>Stops a schedule, or lets it go on with the next tick from now.</summary>
    public Task<(ScheduleChange Change, ScheduleRecord? Schedule)> PauseAsync(string queue, string name, bool paused) =>
        UpdateAsync(queue, name, settings => settings with { Paused = paused });

    /// <summary>Deletes a schedule; tasks that it made stay.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> DeleteAsync(string queue, string name)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Schedules.Where(s => s.Queue == queue && s.Name == name).ExecuteDeleteAsync() > 0;
    }

    /// <summary>Makes a task of a schedule now, paused or not; its ticks go on as they would.</summary>
    /// <returns>The task that stands; null where there is no such schedule.</returns>
    public async Task<Admission?> RunNowAsync(string queue, string name)
    {
        if (await FindAsync(queue, name) is not { } schedule)
            return null;
        var task = ScheduledTasks.Of(queue, schedule.Settings, TaskId.New(time), time.GetUtcNow().UtcDateTime);
        return await tasks.SubmitAsync(task);
    }

    /// <summary>A schedule, or null.</summary>
    public async Task<ScheduleRecord?> FindAsync(string queue, string name)
    {
        await using var db = await databases.CreateDbContextAsync();
        return db.Open(await db.Schedules.AsNoTracking().SingleOrDefaultAsync(s => s.Queue == queue && s.Name == name));
    }

    /// <summary>The schedules of a queue, by name.</summary>
    public async Task<List<ScheduleRecord>> ListAsync(string queue)
    {
        await using var db = await databases.CreateDbContextAsync();
        return db.Open(await db.Schedules.AsNoTracking().Where(s => s.Queue == queue).OrderBy(s => s.Name).ToListAsync());
    }

    /// <summary>The next ticks of a schedule, UTC; none while it is paused.</summary>
    public static IReadOnlyList<DateTime> Upcoming(ScheduleRecord schedule, int count) =>
        schedule.NextAt is { } next ? [next, .. CronSchedule.Parse(schedule.Settings.Cron, schedule.Settings.TimeZone).Upcoming(next, count - 1)] : [];

    private static DateTime? NextOf(ScheduleSettings settings, DateTime now)
    {
        var next = CronSchedule.Parse(settings.Cron, settings.TimeZone).Next(now);
        return settings.Paused ? null : next;
    }
}
