using System.Globalization;
using Microsoft.EntityFrameworkCore;

using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Encryption;
using TaskQueue.Storage.Queues;
using TaskQueue.Storage.Quotas;

namespace TaskQueue.Storage.Schedules;

/// <summary>Table <c>schedules</c>.</summary>
internal sealed class ScheduleStore(IDbContextFactory<TaskDbContext> databases) : IScheduleStore
{
    private const int MaxDue = 100;

    public async Task<ScheduleRecord?> FindAsync(string queue, string name)
    {
        await using var db = await databases.CreateDbContextAsync();
        return db.Open(await db.Schedules.AsNoTracking().SingleOrDefaultAsync(s => s.Queue == queue && s.Name == name));
    }

    public async Task<List<ScheduleRecord>> ListAsync(string queue, Access access)
    {
        await using var db = await databases.CreateDbContextAsync();
        return db.Open((await db.Schedules.AsNoTracking().Where(s => s.Queue == queue).OrderBy(s => s.Name).ToListAsync())
            .FindAll(s => access.CanRead(s.Settings.Owner, s.Queue)));
    }

    public async Task<FoundSchedules> ListAllAsync(Access access, (string Queue, string Name)? after, int max, ReserveAnswer reserve,
        CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var page = new SchedulePage(access, after, max);
        await page.FindAsync(db, cancellationToken);
        if (page.Ids.Count == 0)
            return new([], page.Next);
        await reserve(page.Bytes, page.Ids.Count, cancellationToken);
        var rows = await db.Schedules.AsNoTracking().Where(s => page.Ids.Contains(s.Id)).OrderBy(s => s.Queue).ThenBy(s => s.Name)
            .ToListAsync(cancellationToken);
        return new(db.Open(rows.FindAll(s => access.CanRead(s.Settings.Owner, s.Queue))), page.Next);
    }

    public async Task<ScheduleInsertResult> TryAddAsync(ScheduleRecord schedule, ScheduleQuota? quota, long? ownerLimit)
    {
        await using var db = await databases.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        if (await ObstacleAsync(db, schedule, quota, ownerLimit) is { } obstacle)
            return obstacle;
        db.Schedules.Add(schedule);
        await db.SaveChangesAsync();
        await transaction.CommitAsync();
        return new(ScheduleChange.Done);
    }

    /// <summary>Why a schedule cannot be added, or null; the checks stay valid until the transaction ends.</summary>
    private static async Task<ScheduleInsertResult?> ObstacleAsync(TaskDbContext db, ScheduleRecord schedule, ScheduleQuota? quota,
        long? ownerLimit)
    {
        var (queue, name) = (schedule.Queue, schedule.Name);
        if (quota is not null || ownerLimit is not null)
            await db.LockQueueAsync(BuiltInQueues.Tasks); // serializes counting all schedules
        if (!await db.LockQueueAsync(queue))
            return new(ScheduleChange.QueueNotFound);
        if (await db.Schedules.CountAsync(s => s.Queue == queue) >= quota?.PerQueue)
            return new(ScheduleChange.QueueFull);
        if (await db.Schedules.CountAsync() >= quota?.Max)
            return new(ScheduleChange.Full);
        if (await db.Schedules.AnyAsync(s => s.Queue == queue && s.Name == name))
            return new(ScheduleChange.NameTaken);
        return ownerLimit is { } limit && await TenantCounts.SchedulesAsync(db, schedule.Settings.Owner!) is var used && used >= limit
            ? new(ScheduleChange.Full, used) : null;
    }

    public async Task<ScheduleRecord?> UpdateAsync(string queue, string name, Func<ScheduleRecord, bool> edit)
    {
        while (true)
        {
            await using var db = await databases.CreateDbContextAsync();
            if (db.Open(await db.Schedules.SingleOrDefaultAsync(s => s.Queue == queue && s.Name == name)) is not { } schedule)
                return null;
            if (!edit(schedule))
                return schedule;
            try
            {
                await db.SaveChangesAsync();
                await ForgetAsync(db, schedule.Id);
                return schedule;
            }
            catch (DbUpdateConcurrencyException)
            {
                // Changed or deleted concurrently: retry.
            }
        }
    }

    public async Task<bool> DeleteAsync(int id)
    {
        await using var db = await databases.CreateDbContextAsync();
        await ForgetAsync(db, id);
        return await db.Schedules.Where(s => s.Id == id).ExecuteDeleteAsync() > 0;
    }

    /// <summary>Changing or deleting a schedule removes its quarantined item.</summary>
    private static Task<int> ForgetAsync(TaskDbContext db, int id)
    {
        var subject = id.ToString(CultureInfo.InvariantCulture);
        return db.Quarantine.Where(q => q.Kind == QuarantineKinds.Schedule && q.Subject == subject).ExecuteDeleteAsync();
    }

    public async Task<List<DueSchedule>> ListDueAsync(DateTime now, IReadOnlyCollection<int> skipped)
    {
        await using var db = await databases.CreateDbContextAsync();
        var due = await db.Schedules.AsNoTracking().Where(s => s.NextAt <= now && !skipped.Contains(s.Id)).OrderBy(s => s.NextAt)
            .Take(MaxDue).ToListAsync();
        return due.ConvertAll(schedule => Open(db, schedule));
    }

    private static DueSchedule Open(TaskDbContext db, ScheduleRecord schedule)
    {
        try
        {
            return new(db.Open(schedule)!, null);
        }
        catch (UnreadableDataException unreadable)
        {
            return new(schedule, unreadable);
        }
    }

    public async Task<DateTime?> NextAsync(IReadOnlyCollection<int> skipped)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Schedules.Where(s => s.NextAt != null && !skipped.Contains(s.Id)).MinAsync(s => s.NextAt);
    }
}
