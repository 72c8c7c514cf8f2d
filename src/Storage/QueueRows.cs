using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// A row of table <c>queue_limits</c>, for each queue with limits. Claims lock it first, so that what they count stays true
/// until they commit.
/// </summary>
public sealed class QueueLimitRow
{
    /// <summary>Base name.</summary>
    public string Queue { get; set; } = "";

    /// <summary>
    /// Unix nanoseconds at which the token bucket was empty, in effect: it holds (now - this) / period tokens, at most its
    /// size. 0 is full.
    /// </summary>
    public long BucketBase { get; set; }
}

/// <summary>
/// A row of table <c>queue_counts</c>: how many tasks of a queue and tier ended so. A row a stream, which only the holder of the
/// stream's lock changes, so that nobody waits for a counter.
/// </summary>
public sealed class QueueCount
{
    /// <summary>Base name.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Level of the tasks.</summary>
    public int Tier { get; set; }

    /// <summary>The stream that the transactions held.</summary>
    public int Stream { get; set; }

    /// <summary>One of the terminal types.</summary>
    public TaskEventType Type { get; set; }

    /// <summary>How many.</summary>
    public long Count { get; set; }
}
