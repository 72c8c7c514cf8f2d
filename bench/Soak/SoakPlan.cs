namespace TaskQueue.Bench.Soak;

/// <summary>A long, steady run.</summary>
/// <param name="Seconds">How long tasks are offered.</param>
/// <param name="Rate">Tasks a second, by the clock.</param>
/// <param name="KeepSeconds">How long a finished task stays.</param>
/// <param name="Folder">Where page and chart are written.</param>
internal sealed record SoakPlan(int Seconds, int Rate, int KeepSeconds, string Folder)
{
    /// <summary>Between two looks.</summary>
    public TimeSpan Interval { get; } = TimeSpan.FromSeconds(Math.Clamp(Seconds / 40, 1, 10));

    /// <summary>The processes of the run, one role each.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["api", "scheduler", "consumers"];
}
