using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// A row of table <c>quarantine</c>: something that cannot be processed, set aside with the reason until an operator puts it back.
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

    /// <summary>Queue of the subject, where it has one.</summary>
#pragma warning disable CS8766 // null matches no pattern: only an operator sees what has no queue
    public string? Queue { get; set; }
#pragma warning restore CS8766

    /// <summary>Owner of the subject, where it has one.</summary>
    public string? Owner { get; set; }

    /// <summary>Why it cannot be processed.</summary>
    public string Reason { get; set; } = "";

    /// <summary>What is needed to put it back: its kind defines the form.</summary>
    public string? State { get; set; }

    /// <summary>When it was set aside, UTC.</summary>
    public DateTime At { get; set; }

    /// <summary>How often it was set aside, from 1.</summary>
    public int Count { get; set; } = 1;
}
