using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Schedules;

/// <summary>The rows of schedules, decrypted. Times are UTC.</summary>
public interface IScheduleStore
{
    /// <summary>Finds a schedule, or returns null.</summary>
    /// <exception cref="UnreadableDataException">It cannot be decrypted.</exception>
    Task<ScheduleRecord?> FindAsync(string queue, string name);

    /// <summary>Lists the schedules of a queue that the caller may see, by name.</summary>
    /// <exception cref="UnreadableDataException">One of them cannot be decrypted.</exception>
    Task<List<ScheduleRecord>> ListAsync(string queue, Access access);

    /// <summary>
    /// A page of the schedules of all queues that the caller may see, by queue and name. It ends early, and may even be empty, after a
    /// number of schedules of others or of bytes.
    /// </summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="after">Where the page before ended; null reads the first page.</param>
    /// <param name="max">Maximum number of schedules.</param>
    /// <param name="reserve">Reserves memory for them before they are read.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <exception cref="UnreadableDataException">One of them cannot be decrypted.</exception>
    Task<FoundSchedules> ListAllAsync(Access access, (string Queue, string Name)? after, int max, ReserveAnswer reserve,
        CancellationToken cancellationToken);

    /// <summary>Adds a schedule in a transaction: its checks and counts stay valid until it commits.</summary>
    /// <param name="schedule">The schedule; its id is set.</param>
    /// <param name="quota">The limits of an API; null is unlimited.</param>
    /// <param name="ownerLimit">The limit of the owner; null is unlimited.</param>
    Task<ScheduleInsertResult> TryAddAsync(ScheduleRecord schedule, ScheduleQuota? quota, long? ownerLimit);

    /// <summary>
    /// Reads a schedule, applies an edit, and writes it unless it was changed concurrently; retries on conflict. A written schedule is
    /// removed from quarantine.
    /// </summary>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Name of the schedule.</param>
    /// <param name="edit">Edits the schedule and its version. False skips the write.</param>
    /// <returns>The resulting schedule; null if it does not exist.</returns>
    /// <exception cref="UnreadableDataException">It cannot be decrypted.</exception>
    Task<ScheduleRecord?> UpdateAsync(string queue, string name, Func<ScheduleRecord, bool> edit);

    /// <summary>Deletes a schedule and its quarantined item.</summary>
    /// <returns>Whether the schedule existed.</returns>
    Task<bool> DeleteAsync(int id);

    /// <summary>Up to 100 schedules with a due tick, earliest first.</summary>
    /// <param name="now">The current time.</param>
    /// <param name="skipped">Ids to exclude.</param>
    Task<List<DueSchedule>> ListDueAsync(DateTime now, IReadOnlyCollection<int> skipped);

    /// <summary>The earliest tick of all schedules; may be in the past. Null if there is none.</summary>
    /// <param name="skipped">Ids to exclude.</param>
    Task<DateTime?> NextAsync(IReadOnlyCollection<int> skipped);
}

/// <summary>A page of schedules.</summary>
/// <param name="Schedules">The schedules.</param>
/// <param name="Next">Queue and name after which the next page begins; null if there is none.</param>
public sealed record FoundSchedules(IReadOnlyList<ScheduleRecord> Schedules, (string Queue, string Name)? Next);

/// <summary>A schedule with a due tick.</summary>
/// <param name="Schedule">The schedule.</param>
/// <param name="Problem">Why its texts could not be decrypted; null on success.</param>
public sealed record DueSchedule(ScheduleRecord Schedule, UnreadableDataException? Problem);

/// <summary>The result of <see cref="IScheduleStore.TryAddAsync"/>. Nothing was written unless the change is Done.</summary>
/// <param name="Change">Done, or why it was refused.</param>
/// <param name="Used">Number of schedules of the owner, if its limit is reached.</param>
public sealed record ScheduleInsertResult(ScheduleChange Change, long? Used = null);
