namespace TaskQueue.Client;

/// <summary>How a worker gets tasks and says what became of them.</summary>
internal interface IWorkerTransport
{
    /// <summary>Whether work can come.</summary>
    ConnectionHealth Contact { get; }

    /// <summary>Brings tasks to the worker until it stops; waits for what is under way.</summary>
    Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken);

    /// <summary>Whether heartbeats are due for an attempt: the server counts its lease.</summary>
    bool HasLease(Attempt attempt);

    /// <summary>Renews leases; attempts that the server no longer knows as this worker's are lost.</summary>
    Task BeatAsync(IReadOnlyList<Heartbeat> beats, CancellationToken cancellationToken);

    /// <summary>Says how attempts ended. Any exception means that the same may be said again.</summary>
    Task ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken);

    /// <summary>Everything has been said.</summary>
    Task CloseAsync(CancellationToken cancellationToken);
}

/// <summary>A heartbeat.</summary>
/// <param name="Attempt">The attempt that goes on.</param>
/// <param name="Progress">JSON text; null says nothing new.</param>
internal sealed record Heartbeat(Attempt Attempt, string? Progress);
