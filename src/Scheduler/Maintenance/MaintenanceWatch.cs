using TaskQueue.Engine.Health;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Says to Hangfire when the jobs are due, and shows health and metrics how their last runs went.</summary>
internal sealed class MaintenanceWatch(
    MaintenanceSchedule schedule, MaintenanceStates states, MaintenanceHealth health, MaintenanceMetrics metrics, PollingServices services)
    : PollingService(services)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(10);

    private bool _isRegistered;

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        await Task.Run(Look, cancellationToken); // the storage has synchronous calls only
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
