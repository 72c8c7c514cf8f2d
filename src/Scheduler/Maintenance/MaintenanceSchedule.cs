using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using Microsoft.Extensions.Options;
using TaskQueue.Storage;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>The jobs in Hangfire's storage: when they are due, and runs that were asked for.</summary>
internal sealed class MaintenanceSchedule(
    JobStorage storage, JobFilterCollection filters, DatabaseAddress database, IOptions<MaintenanceOptions> options)
{
    /// <summary>Hangfire's queue of the runs.</summary>
    public const string Queue = "maintenance";

    private readonly RecurringJobManager _recurring = new(storage, filters);
    private readonly BackgroundJobClient _client = new(storage, filters);

    /// <summary>Says when each job is due. A storage in memory has forgotten what it did before: everything is due at once.</summary>
    public void Register()
    {
        foreach (var job in MaintenanceJobs.All)
        {
            var cron = MaintenanceInterval.ToCron(job.Interval(options.Value))!;
            _recurring.AddOrUpdate(job.Name, Call(job), cron, new RecurringJobOptions { TimeZone = TimeZoneInfo.Utc });
            if (database.Provider == DatabaseProvider.Sqlite)
                Enqueue(job);
        }
    }

    /// <summary>Has a job run as soon as a process with the Scheduler role takes it.</summary>
    public void Enqueue(MaintenanceJob job) => _client.Create(Call(job), new EnqueuedState(Queue));

    /// <summary>When a job is due; null before the first process with the Scheduler role.</summary>
    public DateTime? NextOf(string job)
    {
        using var connection = storage.GetConnection();
        return connection.GetAllEntriesFromHash($"recurring-job:{job}")?.GetValueOrDefault("NextExecution") is { Length: > 0 } next
            ? JobHelper.DeserializeDateTime(next)
            : null;
    }

    private static Job Call(MaintenanceJob job) =>
        Job.FromExpression<MaintenanceRunner>(r => r.RunAsync(job.Name, null!, CancellationToken.None), Queue);
}
