using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using Microsoft.Extensions.Options;
using TaskQueue.Storage;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>The jobs in Hangfire's storage: their schedules, and requested runs.</summary>
internal sealed class MaintenanceSchedule(
    JobStorage storage, JobFilterCollection filters, DatabaseAddress database, IOptions<MaintenanceOptions> options)
{
    /// <summary>Hangfire queue for the runs.</summary>
    public const string Queue = "maintenance";

    private readonly RecurringJobManager _recurring = new(storage, filters);
    private readonly BackgroundJobClient _client = new(storage, filters);

    /// <summary>Registers the schedule of each job. In-memory storage has no history, so there all jobs are due immediately.</summary>
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

    /// <summary>Requests a run as soon as a process with the Scheduler role takes it.</summary>
    public void Enqueue(MaintenanceJob job) => _client.Create(Call(job), new EnqueuedState(Queue));

    /// <summary>Next due time of a job; null before the first process with the Scheduler role has started.</summary>
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
