using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// A row of table <c>queue_limits</c>, for each queue with limits. Claims lock it first, so that their counts stay valid until they commit.
/// </summary>
public sealed class QueueLimitRow
{
    /// <summary>Base name.</summary>
    public string Queue { get; set; } = "";

    /// <summary>
    /// Unix nanoseconds at which the token bucket was, in effect, empty: it holds (now - this) / period tokens, at most its capacity. 0 is
    /// full.
    /// </summary>
    public long BucketBase { get; set; }
}

/// <summary>
/// A row of table <c>queue_counts</c>: the number of tasks of a queue, tier and owner with one outcome. There is a row for each partition,
/// which only the holder of the partition's lock changes, so that no transaction waits for a counter.
/// </summary>
public sealed class QueueCount : IOwnedInQueue
{
    /// <summary>Base name.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Tier of the tasks.</summary>
    public int Tier { get; set; }

    /// <summary>The partition whose lock the transactions held.</summary>
    public int Partition { get; set; }

    /// <summary>One of the terminal event types.</summary>
    public TaskEventType Type { get; set; }

    /// <summary>Owner of the tasks; empty for none.</summary>
    public string? Owner { get; set; } = "";

    /// <summary>Number of tasks.</summary>
    public long Count { get; set; }
}
