using Hangfire;
using Hangfire.Common;
using Hangfire.Server;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Makes the runner, and nothing else that the storage may name.</summary>
internal sealed class MaintenanceActivator(IServiceProvider services) : JobActivator
{
    public override object ActivateJob(Type jobType) =>
        jobType == typeof(MaintenanceRunner)
            ? services.GetRequiredService<MaintenanceRunner>()
            : throw new ForbiddenJobException(jobType.FullName);
}

/// <summary>Refuses other methods before they are called: those that are static need no instance.</summary>
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
        // Nothing to do.
    }
}

/// <summary>The storage names something that is no job of maintenance.</summary>
internal sealed class ForbiddenJobException(string? name) : Exception($"{name} is no job of maintenance and must not run");

/// <summary>What Hangfire does around every run.</summary>
internal static class MaintenanceFilters
{
    /// <summary>Seconds before a run that failed is repeated; after the last the next interval counts.</summary>
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
