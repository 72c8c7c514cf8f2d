using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A task as a transport brought it.</summary>
/// <param name="Id">The task.</param>
/// <param name="Attempt">The fencing token.</param>
/// <param name="Queue">Base name of its queue.</param>
/// <param name="Tier">0 is online, 1..N offline.</param>
/// <param name="Name">Which handler runs it; may be null.</param>
/// <param name="Payload">JSON text.</param>
/// <param name="Lease">How long it may go without a heartbeat.</param>
internal record WorkItem(Guid Id, int Attempt, string Queue, int Tier, string? Name, string Payload, TimeSpan Lease)
{
    /// <summary>Null where the transport does not say.</summary>
    public Priority? Priority { get; init; }

    /// <summary>Null where the transport does not say.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>W3C context of whoever submitted the task.</summary>
    public string? TraceParent { get; init; }

    public string? TraceState { get; init; }
}
