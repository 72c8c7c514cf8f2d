using TaskQueue.Tests.EndToEnd;

namespace TaskQueue.Tests.Deployment;

/// <summary>What an expression selects and groups by.</summary>
internal sealed record PromQuery(IReadOnlyList<PromMetric> Metrics, IReadOnlyList<string> Grouping)
{
    /// <summary>Parses expressions; invalid PromQL fails.</summary>
    public static Task<IReadOnlyList<PromQuery>> ReadAsync(IReadOnlyList<string> expressions) =>
        NodeScript.RunAsync<IReadOnlyList<PromQuery>>("promql.mjs", expressions);
}

/// <summary>A metric with the label, operator and value of each matcher.</summary>
internal sealed record PromMetric(string Name, IReadOnlyList<string[]> Labels);

/// <summary>Compares expressions with the metrics that a process exposes.</summary>
internal static class MetricNames
{
    /// <summary>Labels that Prometheus itself adds.</summary>
    private static readonly string[] Added = ["job", "instance"];

    /// <summary>Labels whose values are fixed words of the program, all of which were seen.</summary>
    private static readonly string[] Words = ["event", "outcome", "state"];

    /// <summary>Names of metrics and labels, and label values, that the process does not expose.</summary>
    public static async Task<IReadOnlyList<string>> UnknownAsync(IReadOnlyList<string> expressions, MetricsText shown)
    {
        var queries = await PromQuery.ReadAsync(expressions);
        return [.. queries.SelectMany((query, i) => UnknownOf(query, shown).Select(problem => $"{problem} in {expressions[i]}"))];
    }

    private static IEnumerable<string> UnknownOf(PromQuery query, MetricsText shown)
    {
        var labels = new HashSet<string>(Added);
        foreach (var metric in query.Metrics)
        {
            var samples = metric.Name == "up" ? [new Sample("up", new Dictionary<string, string>(), 1)] : shown.Of(metric.Name).ToList();
            if (samples.Count == 0)
                yield return $"metric {metric.Name}";
            var own = samples.SelectMany(s => s.Labels.Keys).Concat(Added).ToHashSet();
            labels.UnionWith(own);
            foreach (var label in metric.Labels.Where(l => samples.Count > 0 && !own.Contains(l[0])))
                yield return $"label {label[0]} of {metric.Name}";
            foreach (var label in metric.Labels.Where(l => Words.Contains(l[0])))
            {
                foreach (var word in label[2].Split('|').Where(w => !samples.Any(s => s.Labels.GetValueOrDefault(label[0]) == w)))
                    yield return $"{label[0]} {word} of {metric.Name}";
            }
        }

        foreach (var label in query.Grouping.Where(g => !labels.Contains(g)))
            yield return $"label {label}";
    }
}
