using Hangfire.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Scheduler.Retention;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>The only class that Hangfire calls: runs a job by its name, in one process at a time.</summary>
internal sealed partial class MaintenanceRunner(
    IServiceProvider services, MaintenanceStates states, MaintenanceHealth health, MaintenanceMetrics metrics,
    DependencyHealth dependencies, ILogger<MaintenanceRunner> logger)
{
    /// <summary>Runs a job, unless another run has it.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="context">Of Hangfire.</param>
    /// <param name="cancellationToken">The process stops; Hangfire hands the run to another one then.</param>
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
            LogLost(job.Name); // the run that has it now notes how it goes
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
            throw; // Hangfire tries again
        }
    }

    /// <summary>What ended the run matters more than a storage that is away too; the job is free when its time is over.</summary>
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

    [LoggerMessage(LogLevel.Debug, "Maintenance job {Job} runs already")]
    private partial void LogBusy(string job);

    [LoggerMessage(LogLevel.Warning, "Maintenance job {Job} was interrupted in process {Process}; it is done here now")]
    private partial void LogTakenOver(string job, string process);

    [LoggerMessage(LogLevel.Warning, "Maintenance job {Job} was taken over by another process")]
    private partial void LogLost(string job);

    [LoggerMessage(LogLevel.Warning, "Maintenance job {Job} failed; trying again")]
    private partial void LogFailed(Exception fault, string job);

    [LoggerMessage(LogLevel.Warning, "The outcome of maintenance job {Job} could not be noted")]
    private partial void LogUnnoted(Exception fault, string job);
}
