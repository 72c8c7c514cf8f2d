namespace TaskQueue.Bench.Reporting;

/// <summary>Reported latency percentiles in milliseconds.</summary>
internal sealed record Latency(double P50, double P99)
{
    public static Latency Of(IReadOnlyCollection<TimeSpan> times)
    {
        double[] sorted = [.. times.Select(t => t.TotalMilliseconds).Order()];
        return new Latency(Statistics.Percentile(sorted, 50), Statistics.Percentile(sorted, 99));
    }

    public override string ToString() => $"p50 {P50:0.00} ms, p99 {P99:0.00} ms";
}

internal static class Statistics
{
    public static double Median(IReadOnlyList<double> samples)
    {
        double[] sorted = [.. samples.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Nearest-rank percentile: the smallest sample that at least this percentage of samples does not exceed.</summary>
    public static double Percentile(double[] sorted, int percent) => sorted[(int)Math.Ceiling(sorted.Length * percent / 100d) - 1];
}
