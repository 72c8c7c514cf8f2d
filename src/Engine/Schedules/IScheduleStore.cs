using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Schedules;

/// <summary>The rows of schedules, decrypted. Times are UTC.</summary>
public interface IScheduleStore
{
    /// <summary>A schedule, or null.</summary>
    /// <exception cref="UnreadableDataException">It cannot be decrypted.</exception>
    Task<ScheduleRecord?> FindAsync(string queue, string name);

    /// <summary>The schedules of a queue that the caller may see, by name.</summary>
    /// <exception cref="UnreadableDataException">One of them cannot be decrypted.</exception>
    Task<List<ScheduleRecord>> ListAsync(string queue, Access access);

    /// <summary>Adds a schedule in one transaction: what it finds about the queue and counts stays true until it commits.</summary>
    /// <param name="schedule">The schedule; gets its id.</param>
    /// <param name="quota">The limits of an API; null is none.</param>
    /// <param name="ownerLimit">The limit of the owner; null is none.</param>
    Task<ScheduleInsertResult> TryAddAsync(ScheduleRecord schedule, ScheduleQuota? quota, long? ownerLimit);

    /// <summary>
    /// Reads a schedule, lets a function edit it, and writes it if nobody has changed it in between; else does it all again. What was
    /// written is no
    /// longer in quarantine.
    /// </summary>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Name of the schedule.</param>
    /// <param name="edit">Edits the schedule, its version included. False leaves the row as it is.</param>
    /// <returns>The schedule as it was left; null where there is none.</returns>
    /// <exception cref="UnreadableDataException">It cannot be decrypted.</exception>
    Task<ScheduleRecord?> UpdateAsync(string queue, string name, Func<ScheduleRecord, bool> edit);

    /// <summary>Deletes a schedule, and its entry in quarantine.</summary>
    /// <returns>Whether there was one.</returns>
    Task<bool> DeleteAsync(int id);

    /// <summary>At most 100 schedules whose tick has come, earliest first.</summary>
    /// <param name="now">The time.</param>
    /// <param name="skipped">Ids to leave out.</param>
    Task<List<DueSchedule>> ListDueAsync(DateTime now, IReadOnlyCollection<int> skipped);

    /// <summary>The earliest tick of all schedules; may be in the past. Null where there is none.</summary>
    /// <param name="skipped">Ids to leave out.</param>
    Task<DateTime?> NextAsync(IReadOnlyCollection<int> skipped);
}

/// <summary>A schedule whose tick has come.</summary>
/// <param name="Schedule">The schedule.</param>
/// <param name="Problem">Why its texts could not be decrypted; null where they were.</param>
public sealed record DueSchedule(ScheduleRecord Schedule, UnreadableDataException? Problem);

/// <summary>The result of <see cref="IScheduleStore.TryAddAsync"/>. Nothing was written unless the change is Done.</summary>
/// <param name="Change">Done, or what is in the way.</param>
/// <param name="Used">Number of schedules of the owner, where its limit is what is in the way.</param>
public sealed record ScheduleInsertResult(ScheduleChange Change, long? Used = null);
