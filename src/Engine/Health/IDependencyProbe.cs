namespace TaskQueue.Engine.Health;

/// <summary>Probes a dependency of this process other than the database, for <see cref="HealthWatch"/>.</summary>
public interface IDependencyProbe
{
    /// <summary>Probes the dependency and reports an outage to <see cref="OutageGracePeriod"/>. Never throws.</summary>
    /// <param name="timeout">Maximum wait for an answer.</param>
    Task ProbeAsync(TimeSpan timeout);
}
