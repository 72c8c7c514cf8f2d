using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Tests.EndToEnd;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>Alerts, dashboards, probes and autoscalers query only what a process serves.</summary>
public sealed partial class MonitoringTests(DeployedServer server) : IClassFixture<DeployedServer>
{
    private static readonly string RulesFile = Repository.FileAt("deploy", "prometheus", "alerts.yaml");

    private static List<JsonNode> Rules => [.. Yaml.ReadFile(RulesFile).All("groups").SelectMany(g => g.All("rules"))];

    private static JsonNode Dashboard => JsonNode.Parse(File.ReadAllText(Repository.FileAt("deploy", "grafana", "taskqueue.json")))!;

    [Fact]
    public async Task Alerts_and_panels_use_existing_metrics_labels_and_values()
    {
        var alerts = Rules.Select(r => r.Text("expr")!).ToList();
        var panels = Dashboard.All("panels").SelectMany(p => p.All("targets"))
            .Select(t => Variable().Replace(t.Text("expr")!.Replace("$__rate_interval", "5m", StringComparison.Ordinal), ".*")).ToList();

        var choices = Dashboard.All("templating.list").Where(v => v.Text("type") == "query")
            .Select(v => LabelValues().Replace(v.Text("query.query")!, "count by (${label}) (${metric})")).ToList();

        (alerts.Count, panels.Count, choices.Count).ShouldBe((21, 32, 2));
        (await MetricNames.UnknownAsync([.. alerts, .. panels, .. choices], server.Metrics)).ShouldBeEmpty();
    }

    [Fact]
    public void Every_exposed_metric_is_documented()
    {
        var documented = Documented().Matches(File.ReadAllText(Repository.FileAt("docs", "telemetry.md")))
            .Select(m => m.Groups["name"].Value).ToHashSet();
        var shown = server.Metrics.Samples.Select(s => Suffix().Replace(s.Name, ""))
            .Where(n => n.StartsWith("taskqueue_", StringComparison.Ordinal) || n.StartsWith("dtq_", StringComparison.Ordinal)).Distinct();

        shown.Except(documented).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("rate(taskqueue_tasks[5m])", "metric taskqueue_tasks")]
    [InlineData("sum by (queues) (taskqueue_queue_depth)", "label queues")]
    [InlineData("taskqueue_queue_depth{queu=\"a\"}", "label queu of taskqueue_queue_depth")]
    [InlineData("taskqueue_tasks_total{event=~\"completed|fails\"}", "event fails of taskqueue_tasks_total")]
    public async Task An_unknown_name_is_detected(string expression, string problem) =>
        (await MetricNames.UnknownAsync([expression], server.Metrics)).ShouldBe([$"{problem} in {expression}"]);

    [Fact]
    public async Task Roles_are_the_jobs_that_are_scraped()
    {
        var jobs = Yaml.ReadFile(Repository.FileAt("deploy", "prometheus", "prometheus.yml")).All("scrape_configs")
            .Select(j => j.Text("job_name")).ToList();
        var named = (await PromQuery.ReadAsync([.. Rules.Select(r => r.Text("expr")!)])).SelectMany(q => q.Metrics)
            .SelectMany(m => m.Labels).Where(l => l[0] == "job").Select(l => l[2]).Distinct().ToList();

        named.ShouldBe(jobs!, ignoreOrder: true);
        var overlay = await Overlay.RenderAsync(Overlay.Production);
        var relabeling = overlay.Find("PodMonitor", "taskqueue").At("spec.podMetricsEndpoints.0.relabelings.0");
        overlay.OfKind("Deployment")
            .Select(d =>
                relabeling.Text("replacement")!.Replace("$1", d.Map("spec.template.metadata.labels")["app.kubernetes.io/component"],
                    StringComparison.Ordinal)).ShouldBe(jobs!, ignoreOrder: true);
    }

    [Fact]
    public async Task Probes_scrapes_and_scalers_use_paths_served_on_the_operations_port()
    {
        var overlay = await Overlay.RenderAsync(Overlay.Production);
        string[] probes = ["startupProbe", "livenessProbe", "readinessProbe"];
        var paths = overlay.OfKind("Deployment")
            .SelectMany(d => probes.Select(p => d.Text($"spec.template.spec.containers.0.{p}.httpGet.path")!))
            .Concat(overlay.OfKind("PodMonitor").SelectMany(m => m.All("spec.podMetricsEndpoints")).Select(e => e.Text("path")!)).Distinct()
            .ToList();

        paths.ShouldBe(["/health/live", "/health/ready", "/metrics"], ignoreOrder: true);
        foreach (var path in paths)
            (await server.Operations.ReadAsync(path)).Status.ShouldBe(200, path);
        foreach (var trigger in overlay.OfKind("ScaledObject").SelectMany(s => s.All("spec.triggers"))
            .Where(t => t.Text("type") == "metrics-api"))
        {
            var answer = await server.Operations.ReadAsync(new Uri(trigger.Text("metadata.url")!).PathAndQuery);
            answer.Status.ShouldBe(200, answer.Text);
            JsonNode.Parse(answer.Text)!.Whole(trigger.Text("metadata.valueLocation")!).ShouldBeGreaterThanOrEqualTo(0);
        }
    }

    [Fact]
    public async Task The_memory_alerts_come_before_the_limits()
    {
        var overlay = await Overlay.RenderAsync(Overlay.Production);
        var limits = overlay.OfKind("Deployment")
            .ToDictionary(Overlay.NameOf, d => Mebibytes(d.Text("spec.template.spec.containers.0.resources.limits.memory")!));
        var expression = Rules.Single(r => r.Text("alert") == "TaskQueueMemory").Text("expr")!;
        var thresholds = Threshold().Matches(expression)
            .ToDictionary(m => (m.Groups["operator"].Value, m.Groups["job"].Value), m => int.Parse(m.Groups["mebibytes"].Value));

        foreach (var (name, limit) in limits)
        {
            var threshold = thresholds.TryGetValue(("=", name), out var own) ? own
                : thresholds.Single(t => t.Key.Item1 == "!=" && t.Key.Item2 != name).Value;
            ((double)threshold / limit).ShouldBeInRange(0.8, 0.95, name);
        }
    }

    private static int Mebibytes(string quantity) =>
        quantity.EndsWith("Gi", StringComparison.Ordinal) ? 1024 * int.Parse(quantity[..^2]) : int.Parse(quantity[..^2]);

    [GeneratedRegex("^label_values\\((?<metric>.*), (?<label>[a-z_]+)\\)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LabelValues();

    [GeneratedRegex("^\\| `(?<name>(taskqueue|dtq)_[a-z_]+)`", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Documented();

    [GeneratedRegex("_(bucket|sum|count)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Suffix();

    [GeneratedRegex(@"\$(queue|job)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Variable();

    [GeneratedRegex(@"job(?<operator>!?=)""(?<job>[^""]*)""\}\) > (?<mebibytes>\d+) \* 1024 \* 1024", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Threshold();
}
