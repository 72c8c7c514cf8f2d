namespace TaskQueue.Scheduler.Retention;

/// <summary>Work that recurs. It is idempotent: where a run is broken off, another process does it again.</summary>
internal interface IMaintenanceJob
{
    /// <summary>Does what there is to do.</summary>
    /// <param name="progress">Called after each part of the work.</param>
    /// <param name="cancellationToken">The process stops, or another one took the job over.</param>
    /// <returns>Number of rows or files that were removed or released.</returns>
    Task<long> RunAsync(Action progress, CancellationToken cancellationToken);
}
