using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Health;

/// <summary>Section <c>TaskQueue:Health</c>: when a running process counts as unhealthy.</summary>
public sealed class HealthOptions : IValidatableObject
{
    /// <summary>Interval of canaries and of database probes in seconds. Must be the same in all processes.</summary>
    /// <value>10; 0.1 to 300.</value>
    [Range(0.1, 300)]
    public double CanarySeconds { get; set; } = 10;

    /// <summary>Seconds of silence after which <c>/health/ready</c> returns 503.</summary>
    /// <value>60; at least three times <see cref="CanarySeconds"/>.</value>
    [Range(0.3, 86_400)]
    public double UnresponsiveAfterSeconds { get; set; } = 60;

    /// <summary>Seconds of silence after which <c>/health/live</c> returns 503, so that the process is restarted.</summary>
    /// <value>180; more than <see cref="UnresponsiveAfterSeconds"/>.</value>
    [Range(0.3, 86_400)]
    public double RestartAfterSeconds { get; set; } = 180;

    internal TimeSpan CanaryEvery => TimeSpan.FromSeconds(CanarySeconds);

    internal TimeSpan UnresponsiveAfter => TimeSpan.FromSeconds(UnresponsiveAfterSeconds);

    internal TimeSpan RestartAfter => TimeSpan.FromSeconds(RestartAfterSeconds);

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (UnresponsiveAfterSeconds < 3 * CanarySeconds)
            yield return new ValidationResult("TaskQueue:Health:UnresponsiveAfterSeconds must be at least three times "
                + "TaskQueue:Health:CanarySeconds");
        if (RestartAfterSeconds <= UnresponsiveAfterSeconds)
            yield return new ValidationResult("TaskQueue:Health:RestartAfterSeconds must be more than "
                + "TaskQueue:Health:UnresponsiveAfterSeconds");
    }
}
