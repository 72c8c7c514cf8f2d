namespace TaskQueue.Client;

/// <summary>Limits of a worker, independent of its transport.</summary>
/// <param name="Concurrency">Maximum number of concurrently running tasks.</param>
/// <param name="Prefetch">Maximum number of tasks waiting in the worker in addition.</param>
internal sealed record WorkerRuntimeOptions(int Concurrency, int Prefetch)
{
    /// <summary>Maximum number of concurrently running tasks now, if it changes; at most <see cref="Concurrency"/>.</summary>
    public Func<int>? Limit { get; init; }

    /// <summary>How long an attempt may run; null: as long as its lease is renewed.</summary>
    public TimeSpan? RunTimeLimit { get; init; }

    /// <summary>Limits of the handlers that have their own, by task name.</summary>
    public IReadOnlyDictionary<string, HandlerLimits> Handlers { get; init; } = new Dictionary<string, HandlerLimits>();

    /// <summary>The limits of a task's handler; null if it has none of its own.</summary>
    public HandlerLimits? LimitsOf(WorkItem item) =>
        Handlers.Count > 0 && item.Name is { } name ? Handlers.GetValueOrDefault(name) : null;

    /// <summary>How long running tasks may continue after the worker stops, unless the drain ends earlier.</summary>
    public TimeSpan DrainTimeout { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// How long handlers may take to produce an outcome after the end of the drain cancelled their token; tasks without an outcome by
    /// then are released. Zero releases all immediately.
    /// </summary>
    public TimeSpan AbortTimeout { get; init; } = TimeSpan.Zero;

    /// <summary>How long reporting may take after that.</summary>
    public TimeSpan ReportTimeout { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Number of outcomes that may await reporting without using capacity for tasks.</summary>
    public int ReportBacklog { get; init; }

    /// <summary>Longest wait between retries of a report.</summary>
    public TimeSpan LongestBackoff { get; init; } = TimeSpan.FromSeconds(10);
}
