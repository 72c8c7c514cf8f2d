using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Report rows shared by several scenarios.</summary>
internal static class Rows
{
    private const double MemoryGoal = 350;

    /// <summary>Resident memory of the server: at the end of each sample's load, and its lifetime peak.</summary>
    public static IReadOnlyList<Figure> OfMemory(string load, IReadOnlyList<Memory> samples) =>
    [
        new($"resident memory under {load} (VmRSS)", new Series([.. samples.Select(m => m.Now)], Unit.Megabytes),
            Goals: Goal.ValueAtMost(MemoryGoal)),
        new($"peak of resident memory under {load} (VmHWM)", new Series([samples[^1].Peak], Unit.Megabytes),
            Goals: Goal.ValueAtMost(MemoryGoal)),
    ];

    /// <summary>p50 and p99.</summary>
    public static IReadOnlyList<Figure> OfLatency(string name, IReadOnlyList<Latency> samples, double p50Goal, double p99Goal) =>
    [
        new($"{name}, p50", new Series([.. samples.Select(l => l.P50)], Unit.Milliseconds), Goals: Goal.ValueAtMost(p50Goal)),
        new($"{name}, p99", new Series([.. samples.Select(l => l.P99)], Unit.Milliseconds), Goals: Goal.ValueAtMost(p99Goal)),
    ];

    /// <summary>Rate, and p50 and p99 of the claims, each against the reference.</summary>
    public static IReadOnlyList<Figure> OfLoad(string name, IReadOnlyList<LoadSample> measured, string referenceName,
        IReadOnlyList<LoadSample> reference, Goal goal)
    {
        return
        [
            Row(name, s => s.Rate, Unit.TasksPerSecond, goal),
            Row($"{name}; claims, p50", s => s.Claim.P50, Unit.Milliseconds),
            Row($"{name}; claims, p99", s => s.Claim.P99, Unit.Milliseconds),
        ];

        Figure Row(string row, Func<LoadSample, double> pick, Unit unit, params IReadOnlyList<Goal> goals) => new(
            row, new Series([.. measured.Select(pick)], unit),
            new Reference(referenceName, new Series([.. reference.Select(pick)], unit)), goals);
    }
}
