namespace TaskQueue.Engine.Health;

/// <summary>Something outside this process, beside the database, that <see cref="HealthWatch"/> looks at.</summary>
public interface IDependencyProbe
{
    /// <summary>Looks; what is away is told to <see cref="OutageGracePeriod"/>. Never throws.</summary>
    /// <param name="timeout">How long an answer may take.</param>
    Task ProbeAsync(TimeSpan timeout);
}
