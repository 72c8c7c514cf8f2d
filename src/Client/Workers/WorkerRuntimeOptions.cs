namespace TaskQueue.Client;

/// <summary>Limits of a worker, whatever its transport.</summary>
/// <param name="Concurrency">Tasks that run at once.</param>
/// <param name="Prefetch">Tasks that wait in the worker beyond those.</param>
internal sealed record WorkerRuntimeOptions(int Concurrency, int Prefetch)
{
    /// <summary>How long an attempt may run; null is as long as its lease is renewed.</summary>
    public TimeSpan? RunTimeLimit { get; init; }

    /// <summary>How long running tasks may go on once the worker stops, unless its drain is over earlier.</summary>
    public TimeSpan DrainTimeout { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// How long handlers whose token was cancelled at the end of the drain may take to come to an outcome; what has none by then is
    /// given back. Zero gives all back at once.
    /// </summary>
    public TimeSpan AbortTimeout { get; init; } = TimeSpan.Zero;

    /// <summary>How long reports may take after that.</summary>
    public TimeSpan ReportTimeout { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Outcomes that may wait for their report without taking up room for tasks.</summary>
    public int ReportBacklog { get; init; }

    /// <summary>Longest wait between tries of a report.</summary>
    public TimeSpan LongestBackoff { get; init; } = TimeSpan.FromSeconds(10);
}
