using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Scaling;

/// <summary>Section <c>TaskQueue:Scaling</c>: what autoscalers are told.</summary>
public sealed class ScalingOptions
{
    /// <summary>The longest time in seconds that may be asked for.</summary>
    public const int MaxWithinSeconds = 86_400;

    /// <summary>Seconds within which what waits in a queue should be begun.</summary>
    /// <value>30; 1 to 86,400.</value>
    [Range(1, MaxWithinSeconds, ErrorMessage = "TaskQueue:Scaling:WithinSeconds must be 1 to 86400")]
    public double WithinSeconds { get; set; } = 30;
}
