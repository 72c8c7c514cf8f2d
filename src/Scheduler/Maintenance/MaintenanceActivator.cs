using Hangfire;
using Hangfire.Common;
using Hangfire.Server;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Creates the runner and rejects any other type named in the storage.</summary>
internal sealed class MaintenanceActivator(IServiceProvider services) : JobActivator
{
    public override object ActivateJob(Type jobType) =>
        jobType == typeof(MaintenanceRunner)
            ? services.GetRequiredService<MaintenanceRunner>()
            : throw new ForbiddenJobException(jobType.FullName);
}

/// <summary>Rejects other methods before they are called: static ones need no activation.</summary>
internal sealed class MaintenanceOnlyFilter : IServerFilter
{
    public void OnPerforming(PerformingContext context)
    {
        if (context.BackgroundJob.Job is { } job
            && (job.Type != typeof(MaintenanceRunner) || job.Method.Name != nameof(MaintenanceRunner.RunAsync)))
            throw new ForbiddenJobException($"{job.Type.FullName}.{job.Method.Name}");
    }

    public void OnPerformed(PerformedContext context)
    {
        // Not needed.
    }
}

/// <summary>The storage names something other than a maintenance job.</summary>
internal sealed class ForbiddenJobException(string? name) : Exception($"{name} is not a maintenance job and must not run");

/// <summary>Hangfire filters applied to every run.</summary>
internal static class MaintenanceFilters
{
    /// <summary>Seconds before each retry of a failed run; after the last, the job waits for its next interval.</summary>
    private static readonly int[] Delays = [5, 15, 60, 60];

    public static JobFilterCollection Create()
    {
        var retry = new AutomaticRetryAttribute
        {
            Attempts = Delays.Length, DelaysInSeconds = Delays, OnAttemptsExceeded = AttemptsExceededAction.Delete, LogEvents = false,
        };
        return new JobFilterCollection { new MaintenanceOnlyFilter(), retry };
    }
}
