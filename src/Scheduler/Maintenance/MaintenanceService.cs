using Microsoft.Extensions.Options;
using TaskQueue.Engine;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>A job of maintenance and its last run.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it does.</param>
/// <param name="Interval">How often it runs.</param>
/// <param name="LastRunAt">When the last run began, UTC; null where there was none.</param>
/// <param name="NextRunAt">When it is due, UTC; null where no process with the Scheduler role has started yet.</param>
/// <param name="Outcome">
/// running, succeeded, failed, stopped (its process stopped) or interrupted (its process is gone); null where there was no run.
/// </param>
/// <param name="Error">Why it failed.</param>
/// <param name="DurationMs">How long it took.</param>
/// <param name="Removed">Number of rows or files that it removed or released.</param>
/// <param name="LastSuccessAt">When a run last succeeded, UTC.</param>
/// <param name="Process">Host and process id of the last run.</param>
public sealed record MaintenanceStatus(
    string Name, string Description, TimeSpan Interval, DateTime? LastRunAt, DateTime? NextRunAt, string? Outcome, string? Error,
    long? DurationMs, long? Removed, DateTime? LastSuccessAt, string? Process);

/// <summary>What operators see of maintenance, and how they have a job run. Every process may be asked that shares the database.</summary>
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

    /// <summary>Has a job run now; where a run is under way already, it is left at that.</summary>
    /// <returns>The job and the run before, or the one under way; null where there is no such job.</returns>
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
