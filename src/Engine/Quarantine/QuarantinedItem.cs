using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// A row of table <c>quarantine</c>: a subject that cannot be processed, kept with the reason until an operator releases or drops it.
/// </summary>
public sealed class QuarantinedItem : IOwnedInQueue
{
    /// <summary>Number of the item.</summary>
    public long Id { get; set; }

    /// <summary>
    /// What failed: <c>lease</c>, <c>dispatch</c>, <c>expiry</c>, <c>event</c>, <c>callback</c>, <c>batch</c>, <c>batch_item</c>,
    /// <c>schedule</c>, <c>message</c>.
    /// </summary>
    public string Kind { get; set; } = "";

    /// <summary>Identifies the subject within its kind, such as the id of a task; at most 128 characters.</summary>
    public string Subject { get; set; } = "";

    /// <summary>Queue of the subject, if any.</summary>
#pragma warning disable CS8766 // null matches no pattern: items without a queue are visible to operators only
    public string? Queue { get; set; }
#pragma warning restore CS8766

    /// <summary>Owner of the subject, if any.</summary>
    public string? Owner { get; set; }

    /// <summary>Why it cannot be processed.</summary>
    public string Reason { get; set; } = "";

    /// <summary>What a release needs, in a form defined by the kind.</summary>
    public string? State { get; set; }

    /// <summary>When it was last quarantined, UTC.</summary>
    public DateTime At { get; set; }

    /// <summary>How often it was quarantined, from 1.</summary>
    public int Count { get; set; } = 1;
}
