using Microsoft.Extensions.Options;
using TaskQueue.Engine;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>A maintenance job and its last run.</summary>
/// <param name="Name">Name of the job.</param>
/// <param name="Description">What it does.</param>
/// <param name="Interval">How often it runs.</param>
/// <param name="LastRunAt">Start of the last run, UTC; null if there was none.</param>
/// <param name="NextRunAt">Next due time, UTC; null if no process with the Scheduler role has started yet.</param>
/// <param name="Outcome">
/// running, succeeded, failed, stopped (its process stopped) or interrupted (its process crashed); null if there was no run.
/// </param>
/// <param name="Error">Why it failed.</param>
/// <param name="DurationMs">Duration in milliseconds.</param>
/// <param name="Removed">Number of rows or files removed or released.</param>
/// <param name="LastSuccessAt">Last successful run, UTC.</param>
/// <param name="Process">Host and process id of the last run.</param>
public sealed record MaintenanceStatus(
    string Name, string Description, TimeSpan Interval, DateTime? LastRunAt, DateTime? NextRunAt, string? Outcome, string? Error,
    long? DurationMs, long? Removed, DateTime? LastSuccessAt, string? Process);

/// <summary>Lists and triggers the maintenance jobs. Any process that shares the database can serve it.</summary>
public sealed class MaintenanceService
{
    private readonly MaintenanceSchedule _schedule;
    private readonly MaintenanceStates _states;
    private readonly MaintenanceOptions _options;
    private readonly TimeProvider _time;

    internal MaintenanceService(
        MaintenanceSchedule schedule, MaintenanceStates states, IOptions<MaintenanceOptions> options, TimeProvider time) =>
        (_schedule, _states, _options, _time) = (schedule, states, options.Value, time);

    /// <summary>Names of the jobs.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. MaintenanceJobs.All.Select(j => j.Name)];

    /// <summary>The jobs with their last runs.</summary>
    public Task<IReadOnlyList<MaintenanceStatus>> ListAsync(CancellationToken cancellationToken) =>
        Task.Run<IReadOnlyList<MaintenanceStatus>>(() => [.. MaintenanceJobs.All.Select(StatusOf)], cancellationToken);

    /// <summary>Triggers a run, unless one is already in progress.</summary>
    /// <returns>The job with its previous run, or the one in progress; null if there is no such job.</returns>
    public Task<MaintenanceStatus?> RunAsync(string name, CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            if (MaintenanceJobs.Find(name) is not { } job)
                return null;
            var status = StatusOf(job);
            if (status.Outcome != MaintenanceOutcomes.Running)
                _schedule.Enqueue(job);
            return status;
        },
        cancellationToken);

    private MaintenanceStatus StatusOf(MaintenanceJob job)
    {
        var state = _states.Read(job.Name);
        return new MaintenanceStatus(
            job.Name, job.Description, job.Interval(_options), state.StartedAt, _schedule.NextOf(job.Name),
            state.OutcomeAt(Micros.Now(_time)), state.Error, state.DurationMs, state.Removed, state.SucceededAt, state.Process);
    }
}
