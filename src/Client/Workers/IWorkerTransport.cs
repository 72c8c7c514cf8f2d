namespace TaskQueue.Client;

/// <summary>How a worker gets tasks and says what became of them.</summary>
internal interface IWorkerTransport
{
    /// <summary>Whether work can come.</summary>
    Contact Contact { get; }

    /// <summary>Brings tasks to the desk until it stops; waits for what is under way.</summary>
    Task FetchAsync(AttemptDesk desk, CancellationToken stop);

    /// <summary>Whether heartbeats are due for an attempt: the server counts its lease.</summary>
    bool HasLease(Attempt attempt);

    /// <summary>Renews leases; attempts that the server no longer knows as this worker's are lost.</summary>
    Task BeatAsync(IReadOnlyList<Beat> beats, CancellationToken cancel);

    /// <summary>Says how attempts ended. Any exception means that the same may be said again.</summary>
    Task ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancel);

    /// <summary>Everything has been said.</summary>
    Task CloseAsync(CancellationToken cancel);
}

/// <summary>A heartbeat.</summary>
/// <param name="Attempt">The attempt that goes on.</param>
/// <param name="Progress">JSON text; null says nothing new.</param>
internal sealed record Beat(Attempt Attempt, string? Progress);
