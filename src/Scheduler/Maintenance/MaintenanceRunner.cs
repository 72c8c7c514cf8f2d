using Hangfire.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Scheduler.Retention;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>The only class Hangfire calls: runs a job by name, in one process at a time.</summary>
internal sealed partial class MaintenanceRunner(
    IServiceProvider services, MaintenanceStates states, MaintenanceHealth health, MaintenanceMetrics metrics,
    DependencyHealth dependencies, ILogger<MaintenanceRunner> logger)
{
    /// <summary>Runs a job, unless another run holds it.</summary>
    /// <param name="name">Name of the job.</param>
    /// <param name="context">Hangfire's context.</param>
    /// <param name="cancellationToken">The process stops; Hangfire then passes the run to another process.</param>
    public async Task RunAsync(string name, PerformContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        var job = MaintenanceJobs.Find(name) ?? throw new InvalidOperationException($"there is no maintenance job {name}");
        await using var run = states.TryBegin(job.Name, context.BackgroundJob.Id);
        if (run is null)
        {
            LogBusy(job.Name);
            return;
        }

        if (run.TakenFrom is { } process)
            LogTakenOver(job.Name, process);
        health.Began(job.Name);
        try
        {
            await RunAsync(job, run, cancellationToken);
        }
        finally
        {
            health.Ended(job.Name);
        }
    }

    private async Task RunAsync(MaintenanceJob job, MaintenanceRun run, CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, run.Lost);
        try
        {
            var work = (IMaintenanceJob)services.GetRequiredService(job.Type);
            var removed = await work.RunAsync(() => health.Progressed(job.Name), both.Token);
            metrics.Ran(job.Name, MaintenanceOutcomes.Succeeded);
            run.End(MaintenanceOutcomes.Succeeded, removed);
            health.Succeeded(job.Name);
        }
        catch (OperationCanceledException) when (run.Lost.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            LogLost(job.Name); // the run that holds the job now records the outcome
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            TryEnd(job, run, MaintenanceOutcomes.Stopped, fault: null);
            throw;
        }
        catch (Exception fault)
        {
            if (!dependencies.TryHandle(fault))
            {
                health.Failed(job.Name, fault);
                LogFailed(fault, job.Name);
            }

            TryEnd(job, run, MaintenanceOutcomes.Failed, fault);
            throw; // Hangfire retries
        }
    }

    /// <summary>Tries to record the end of a run. A storage failure must not hide the original fault; the lease expires anyway.</summary>
    private void TryEnd(MaintenanceJob job, MaintenanceRun run, string outcome, Exception? fault)
    {
        metrics.Ran(job.Name, outcome);
        try
        {
            run.End(outcome, removed: null, fault);
        }
#pragma warning disable CA1031 // see above
        catch (Exception second)
#pragma warning restore CA1031
        {
            if (!dependencies.TryHandle(second))
                LogUnnoted(second, job.Name);
        }
    }

    [LoggerMessage(LogLevel.Debug, "Maintenance job {Job} is already running")]
    private partial void LogBusy(string job);

    [LoggerMessage(LogLevel.Warning, "Maintenance job {Job} was interrupted in process {Process}; taking it over")]
    private partial void LogTakenOver(string job, string process);

    [LoggerMessage(LogLevel.Warning, "Maintenance job {Job} was taken over by another process")]
    private partial void LogLost(string job);

    [LoggerMessage(LogLevel.Warning, "Maintenance job {Job} failed; retrying")]
    private partial void LogFailed(Exception fault, string job);

    [LoggerMessage(LogLevel.Warning, "The outcome of maintenance job {Job} could not be recorded")]
    private partial void LogUnnoted(Exception fault, string job);
}
