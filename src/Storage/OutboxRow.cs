using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// A row of table <c>outbox</c>: events of one type that one transaction appended. Rows are append-only; the outbox dispatcher keeps an
/// offset for each partition, and published rows are removed after their retention.
/// </summary>
public sealed class OutboxRow
{
    /// <summary>The partition: its rows commit in id order.</summary>
    public int Partition { get; set; }

    /// <summary>Generated in ascending order over all partitions.</summary>
    public long Id { get; set; }

    /// <summary>When the last of the events happened.</summary>
    public DateTime At { get; set; }

    /// <summary>What happened.</summary>
    public TaskEventType Type { get; set; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Tier of the tasks.</summary>
    public int Tier { get; set; }

    /// <summary>The worker that ran the attempts.</summary>
    public string? Worker { get; set; }

    /// <summary>See <see cref="TaskEvent.Dispatch"/>.</summary>
    public bool Dispatch { get; set; }

    /// <summary>See <see cref="TaskEvent.ReleasesCapacity"/>.</summary>
    public bool ReleasesCapacity { get; set; }

    /// <summary>The tasks, in order; at most <see cref="OutboxRows.MostIds"/>.</summary>
    public Guid[] Ids { get; set; } = [];

    /// <summary>Attempts started so far, of each task.</summary>
    public int[] Attempts { get; set; } = [];

    /// <summary>Microseconds before <see cref="At"/> at which each event happened; null if all happened then.</summary>
    public int[]? Earlier { get; set; }

    /// <summary>When each task may run next; null if none waits.</summary>
    public DateTime?[]? DueTimes { get; set; }

    /// <summary>Error of each attempt; null if there is none.</summary>
    public string?[]? Errors { get; set; }
}
