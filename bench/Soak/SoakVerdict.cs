using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Soak;

/// <summary>
/// Checks that the run stayed flat by comparing medians of the last quarter with the second. The first quarter is the warm-up, in
/// which the tables fill.
/// </summary>
internal sealed class SoakVerdict(SoakPlan plan, IReadOnlyList<SoakSample> samples)
{
    /// <summary>Maximum ratio of sizes; more is growth, not noise. Detects a leak of a tenth per ten minutes.</summary>
    private const double Size = 1.1;

    /// <summary>Maximum ratio of the sizes of small tables, whose rows come and go: vacuum a moment later is much of them.</summary>
    private const double SmallSize = 1.5;

    /// <summary>Maximum ratio of latencies; the 99th percentile of a few hundred claims is noisier.</summary>
    private const double Time = 1.25;

    public SoakPlan Plan => plan;

    public IReadOnlyList<SoakSample> Samples => samples;

    /// <summary>Samples after the warm-up.</summary>
    public IReadOnlyList<SoakSample> Steady => [.. samples.Where(s => s.Seconds > plan.Seconds / 4d)];

    public IReadOnlyList<Figure> Figures =>
    [
        .. SoakPlan.Tables.SelectMany(table => (Figure[])
        [
            Compare($"{table}, heap", Unit.Megabytes, s => s.Table(table).HeapMegabytes, MostOf(table)),
            Compare($"{table}, indexes", Unit.Megabytes, s => s.Table(table).IndexMegabytes, MostOf(table)),
        ]),
        Compare("claims, p50", Unit.Milliseconds, s => s.Claim.P50, Time),
        Compare("claims, p99", Unit.Milliseconds, s => s.Claim.P99, Time),
        .. SoakPlan.Roles.Select((role, i) => Compare($"memory of {role}", Unit.Megabytes, s => s.Processes[i].Megabytes, Size)),
        .. plan.Console ? (Figure[])[Compare("memory of the browser", Unit.Megabytes, s => s.Browser ?? 0, Size)] : [],
        new("tasks accepted", Steadily(s => s.Accepted, Unit.TasksPerSecond), null, Goal.ValueAtLeast(plan.Rate * 0.98)),
        new("tasks removed", Steadily(s => s.Removed, Unit.RowsPerSecond), null, Goal.ValueAtLeast(plan.Rate * 0.95)),
    ];

    private static double MostOf(string table) => table is "ready" or "running" ? SmallSize : Size;

    private Series Steadily(Func<SoakSample, double> value, Unit unit) => new([.. Steady.Select(value)], unit);

    private Figure Compare(string name, Unit unit, Func<SoakSample, double> value, double most) =>
        new(name, Quarter(4, value, unit), new Reference("second quarter", Quarter(2, value, unit)), Goal.RatioAtMost(most));

    private Series Quarter(int number, Func<SoakSample, double> value, Unit unit) =>
        new([.. samples.Where(s => (int)Math.Ceiling(s.Seconds * 4 / plan.Seconds - 0.01) == number).Select(value)], unit);
}
