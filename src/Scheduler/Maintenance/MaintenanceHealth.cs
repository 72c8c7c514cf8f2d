using TaskQueue.Engine.Health;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Heartbeats of the maintenance jobs: detect a hanging run in this process, and a failed last run in any process.</summary>
internal sealed class MaintenanceHealth
{
    private readonly Dictionary<string, LoopHeartbeat> _heartbeats = [];
    private readonly HashSet<string> _running = [];
    private readonly Lock _lock = new();

    public MaintenanceHealth(LoopHeartbeats heartbeats)
    {
        foreach (var job in MaintenanceJobs.All)
        {
            _heartbeats[job.Name] = heartbeats.Of(job.Type);
            _heartbeats[job.Name].Rest();
        }
    }

    /// <summary>A run began in this process.</summary>
    public void Began(string job)
    {
        lock (_lock)
        {
            _running.Add(job);
            _heartbeats[job].Beat();
        }
    }

    /// <summary>The run made progress.</summary>
    public void Progressed(string job) => _heartbeats[job].Beat();

    public void Succeeded(string job) => _heartbeats[job].Succeeded();

    public void Failed(string job, Exception fault) => _heartbeats[job].Failed(fault);

    /// <summary>The run in this process ended.</summary>
    public void Ended(string job)
    {
        lock (_lock)
        {
            _running.Remove(job);
            _heartbeats[job].Rest();
        }
    }

    /// <summary>Applies the stored state of the last run.</summary>
    public void Saw(string job, MaintenanceState state)
    {
        lock (_lock)
        {
            if (_running.Contains(job))
                return;
            if (state.Outcome == MaintenanceOutcomes.Failed && !state.IsTransient)
                _heartbeats[job].Failed(new MaintenanceFailedException(state.Error));
            else if (state.Outcome == MaintenanceOutcomes.Succeeded)
                _heartbeats[job].Succeeded();
            _heartbeats[job].Rest();
        }
    }
}

/// <summary>A run failed, here or in another process.</summary>
internal sealed class MaintenanceFailedException(string? message) : Exception(message);
