namespace TaskQueue.Engine.Schedules;

/// <summary>Tells the scheduler of this process that schedules changed; others look every second.</summary>
public sealed class ScheduleSignal
{
    /// <summary>Called after a change.</summary>
    public Action? OnChange { get; set; }

    /// <summary>A schedule was made or changed.</summary>
    public void Changed() => OnChange?.Invoke();
}
