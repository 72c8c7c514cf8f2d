namespace TaskQueue.Client;

/// <summary>Fetches tasks for a worker and reports their outcomes: over HTTP, RabbitMQ, or in process with the engine.</summary>
internal interface IWorkerTransport
{
    /// <summary>
    /// Whether a task that has not begun is returned to its source without a report; see <see cref="Attempt.IsReturned"/>.
    /// </summary>
    bool ReturnsUnbegun { get; }

    /// <summary>Fetches tasks until the worker stops, then waits for fetches in flight.</summary>
    Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken);

    /// <summary>Whether an attempt needs heartbeats: the server holds a lease for it.</summary>
    bool HasLease(Attempt attempt);

    /// <summary>Renews leases; attempts whose lease the server rejects are lost.</summary>
    Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken);

    /// <summary>Reports outcomes.</summary>
    /// <returns>Attempts to report again. An exception means all of them.</returns>
    Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken);

    /// <summary>Closes the transport once everything has been reported.</summary>
    Task CloseAsync();
}

/// <summary>A transport to another process, which may be unavailable.</summary>
internal interface IRemoteTransport : IWorkerTransport
{
    /// <summary>Whether tasks can arrive.</summary>
    ConnectionHealth Health { get; }
}

/// <summary>A heartbeat.</summary>
/// <param name="Attempt">The running attempt.</param>
/// <param name="Progress">JSON text; null if there is no new progress.</param>
/// <param name="Log">Lines logged since the last heartbeat; null if there are none.</param>
internal sealed record Heartbeat(Attempt Attempt, string? Progress, IReadOnlyList<LogEntry>? Log = null)
{
    /// <summary>Why the server refused this one of a request, whose others it has applied; null if it did not.</summary>
    public TaskQueueException? Refusal { get; set; }
}
