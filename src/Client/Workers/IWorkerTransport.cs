namespace TaskQueue.Client;

/// <summary>How a worker gets tasks and reports on them: HTTP, RabbitMQ, or the engine of the same process.</summary>
internal interface IWorkerTransport
{
    /// <summary>
    /// Whether a task that was not begun goes back to where it came from, without a report: see <see cref="Attempt.IsReturned"/>.
    /// </summary>
    bool ReturnsUnbegun { get; }

    /// <summary>Brings tasks to the worker until it stops; then waits for what is under way.</summary>
    Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken);

    /// <summary>Whether heartbeats are due for an attempt: the server counts its lease.</summary>
    bool HasLease(Attempt attempt);

    /// <summary>Renews leases; attempts that the server no longer knows as this worker's are lost.</summary>
    Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken);

    /// <summary>Reports how attempts ended.</summary>
    /// <returns>Those to report again; after an exception, all of them.</returns>
    Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken);

    /// <summary>Everything has been reported.</summary>
    Task CloseAsync(CancellationToken cancellationToken);
}

/// <summary>A transport to another process, which may be away.</summary>
internal interface IRemoteTransport : IWorkerTransport
{
    /// <summary>Whether work can come.</summary>
    ConnectionHealth Health { get; }
}

/// <summary>A heartbeat.</summary>
/// <param name="Attempt">The attempt that goes on.</param>
/// <param name="Progress">JSON text; null reports nothing new.</param>
internal sealed record Heartbeat(Attempt Attempt, string? Progress);
