namespace TaskQueue.Scheduler.Retention;

/// <summary>A recurring job. Must be idempotent: an interrupted run is repeated by another process.</summary>
internal interface IMaintenanceJob
{
    /// <summary>Runs the job.</summary>
    /// <param name="progress">Called after each step.</param>
    /// <param name="cancellationToken">The process stops, or another process took over the job.</param>
    /// <returns>Number of rows or files removed or released.</returns>
    Task<long> RunAsync(Action progress, CancellationToken cancellationToken);
}
