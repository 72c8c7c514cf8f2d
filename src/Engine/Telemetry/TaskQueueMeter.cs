namespace TaskQueue.Engine.Telemetry;

/// <summary>The meter of all metrics.</summary>
public static class TaskQueueMeter
{
    /// <summary>Its name.</summary>
    public const string Name = "TaskQueue";
}
