using System.Buffers.Binary;
using TaskQueue.Contracts;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Lists and searches show the newest tasks first, in the order of ids, which begin with the time. The ids of a producer may say nothing
/// about time: such tasks are listed under other ids, of the server.
/// </summary>
internal static class ListingIds
{
    /// <summary>How much earlier than its task an id may have been made, by a client that tried again.</summary>
    private static readonly TimeSpan Earlier = TimeSpan.FromMinutes(1);

    /// <summary>How far a client's clock may be ahead.</summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromSeconds(2);

    /// <summary>How far the clock of another process may be ahead.</summary>
    private static readonly TimeSpan Apart = TimeSpan.FromDays(1);

    /// <summary>The smallest id of tasks that were accepted at this time or later.</summary>
    public static Guid From(DateTime time) => First(time, -Earlier);

    /// <summary>An id above those of tasks that were accepted before this time.</summary>
    public static Guid Before(DateTime time) => First(time, Ahead);

    /// <summary>An id above all that servers have made. Most of those that producers draw by lot are greater.</summary>
    public static Guid End(DateTime now) => First(now, Apart);

    /// <summary>Lists tasks that were submitted in one piece under ids of the server, unless their own will do.</summary>
    /// <param name="tasks">The tasks.</param>
    /// <param name="now">When they were accepted.</param>
    /// <param name="time">The clock.</param>
    public static void Assign(List<NewTask> tasks, DateTime now, TimeProvider time)
    {
        var (least, limit) = (From(now), Before(now));
        foreach (var (task, _) in tasks)
        {
            if (task.BatchId is not null)
                return; // the server's, whenever it made them
            if (task.CorrelationId < least || task.CorrelationId >= limit)
            {
                tasks.ForEach(t => t.Task.ListedAs = TaskId.New(time));
                return;
            }

            least = task.CorrelationId;
        }
    }

    /// <summary>The smallest id of a millisecond; the sum of time and shift may be no date.</summary>
    private static Guid First(DateTime time, TimeSpan shift)
    {
        var milliseconds = Math.Max(0, (long)Math.Ceiling((time - DateTime.UnixEpoch + shift).TotalMilliseconds));
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        BinaryPrimitives.WriteUInt64BigEndian(bytes, (ulong)milliseconds << 16);
        return new Guid(bytes, bigEndian: true);
    }
}
