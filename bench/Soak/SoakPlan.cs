namespace TaskQueue.Bench.Soak;

/// <summary>A long, steady run.</summary>
/// <param name="Seconds">How long tasks are submitted.</param>
/// <param name="Rate">Tasks per second.</param>
/// <param name="KeepSeconds">How long finished tasks are kept.</param>
/// <param name="Folder">Output folder for page and chart.</param>
/// <param name="Console">Whether a browser shows the console meanwhile.</param>
internal sealed record SoakPlan(int Seconds, int Rate, int KeepSeconds, string Folder, bool Console)
{
    /// <summary>Sampling interval.</summary>
    public TimeSpan Interval { get; } = TimeSpan.FromSeconds(Math.Clamp(Seconds / 40, 1, 10));

    /// <summary>The processes of the run, one role each.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["api", "scheduler", "consumers"];

    /// <summary>The tables that a task passes through.</summary>
    public static IReadOnlyList<string> Tables { get; } = ["tasks", "ready", "running", "outcomes", "outbox"];
}
