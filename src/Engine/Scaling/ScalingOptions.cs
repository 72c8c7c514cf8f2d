using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Scaling;

/// <summary>Section <c>TaskQueue:Scaling</c>: demand reported to autoscalers.</summary>
public sealed class ScalingOptions
{
    /// <summary>Maximum target time in seconds that may be requested.</summary>
    public const int MaxWithinSeconds = 86_400;

    /// <summary>Target time in seconds until the waiting tasks of a queue begin.</summary>
    /// <value>30; 1 to 86,400.</value>
    [Range(1, MaxWithinSeconds, ErrorMessage = "TaskQueue:Scaling:WithinSeconds must be 1 to 86400")]
    public double WithinSeconds { get; set; } = 30;
}
