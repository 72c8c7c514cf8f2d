using TaskQueue.Engine.Health;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Registers the job schedules with Hangfire, and updates health and metrics from the last runs.</summary>
internal sealed class MaintenanceWatch(
    MaintenanceSchedule schedule, MaintenanceStates states, MaintenanceHealth health, MaintenanceMetrics metrics, PollingServices services)
    : PollingService(services)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(10);

    private bool _isRegistered;

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        await Task.Run(Look, cancellationToken); // the storage API is synchronous
        return LookAgain;
    }

    private void Look()
    {
        if (!_isRegistered)
        {
            schedule.Register();
            _isRegistered = true;
        }

        foreach (var job in MaintenanceJobs.All)
        {
            var state = states.Read(job.Name);
            health.Saw(job.Name, state);
            metrics.Saw(job.Name, state.SucceededAt);
        }
    }
}
