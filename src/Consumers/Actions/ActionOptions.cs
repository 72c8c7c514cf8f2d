using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Consumers.Actions;

/// <summary>Section <c>TaskQueue:Actions</c>: the built-in actions of <c>POST /tasks</c>.</summary>
public sealed class ActionOptions
{
    /// <summary>Simulated work of each action in milliseconds; the tutorial's worker sleeps 100 ms.</summary>
    /// <value>0; 0 to 3,600,000.</value>
    [Range(0, 3_600_000)]
    public int SimulatedWorkMs { get; set; }

    /// <summary>Maximum number of concurrently running actions per process.</summary>
    /// <value>16; 1 to 1,000.</value>
    [Range(1, 1000)]
    public int Concurrency { get; set; } = 16;
}
