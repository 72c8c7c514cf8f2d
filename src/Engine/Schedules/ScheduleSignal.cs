namespace TaskQueue.Engine.Schedules;

/// <summary>Notifies the scheduler of this process of changed schedules; other processes poll every second.</summary>
public sealed class ScheduleSignal
{
    /// <summary>Called after a change.</summary>
    public Action? OnChange { get; set; }

    /// <summary>Signals that a schedule was created or changed.</summary>
    public void Changed() => OnChange?.Invoke();
}
