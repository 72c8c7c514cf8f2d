using System.Data.Common;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>Reads rows of <c>task_events</c>; the select lists of all providers have the same column order.</summary>
internal static class EventReader
{
    /// <summary>Reads a row.</summary>
    public static TaskEvent Read(DbDataReader r) => new()
    {
        Stream = r.GetInt32(0),
        Id = r.GetInt64(1),
        TaskId = StoredValue.Id(r, 2),
        Type = (TaskEventType)r.GetInt32(3),
        Queue = r.GetString(4),
        Tier = r.GetInt32(5),
        Attempt = r.GetInt32(6),
        Worker = r.IsDBNull(7) ? null : r.GetString(7),
        Error = r.IsDBNull(8) ? null : r.GetString(8),
        At = Time(r, 9)!.Value,
        DueAt = Time(r, 10),
        Dispatch = r.GetBoolean(11),
        ReleasesCapacity = r.GetBoolean(12),
    };

    /// <summary>
    /// Truncates a read to its complete part. Events of one task may be in several partitions; a partition that returned the maximum number
    /// of rows may have more, so ids after its last must wait for them.
    /// </summary>
    public static List<TaskEvent> Complete(List<TaskEvent> events, int max)
    {
        var cut = events.GroupBy(e => e.Stream).Where(g => g.Count() >= max).Select(g => g.Max(e => e.Id))
            .DefaultIfEmpty(long.MaxValue).Min();
        if (cut != long.MaxValue)
            events.RemoveAll(e => e.Id > cut);
        return events;
    }

    private static DateTime? Time(DbDataReader r, int i) => r.IsDBNull(i) ? null : StoredValue.Time(r, i);
}
