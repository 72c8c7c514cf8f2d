using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A task as delivered by a transport.</summary>
/// <param name="Id">Id of the task.</param>
/// <param name="Attempt">Attempt number, the fencing token.</param>
/// <param name="Queue">Base name of the queue.</param>
/// <param name="Tier">0 is online, 1..N offline.</param>
/// <param name="Name">Task name, which selects the handler; may be null.</param>
/// <param name="Payload">JSON text.</param>
/// <param name="Lease">How long it may go without a heartbeat.</param>
internal record WorkItem(Guid Id, int Attempt, string Queue, int Tier, string? Name, string Payload, TimeSpan Lease)
{
    /// <summary>Null if the transport does not carry it.</summary>
    public Priority? Priority { get; init; }

    /// <summary>Null if the transport does not carry it.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Empty if the transport does not carry them.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>What an earlier attempt reported last as JSON text; null if there is none.</summary>
    public string? Progress { get; init; }

    /// <summary>W3C trace context of the submitter.</summary>
    public string? TraceParent { get; init; }

    public string? TraceState { get; init; }
}
