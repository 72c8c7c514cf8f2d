using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>Tests the alerts with Prometheus' own tool, and the dashboard as Grafana reads it.</summary>
public sealed partial class AlertRulesTests
{
    private static readonly string[] Monitoring = ["deploy", "prometheus"];

    private static List<JsonNode> Rules =>
        [.. Yaml.ReadFile(Repository.FileAt([.. Monitoring, "alerts.yaml"])).All("groups").SelectMany(g => g.All("rules"))];

    [Theory]
    [InlineData("check", "config", "prometheus.yml")]
    [InlineData("check", "rules", "alerts.yaml")]
    [InlineData("test", "rules", "alerts.test.yaml")]
    public async Task Promtool_accepts(string verb, string what, string file)
    {
        using var promtool = new Command("promtool", [verb, what, Repository.FileAt([.. Monitoring, file])]);
        (await promtool.WaitAsync(TimeSpan.FromSeconds(60))).ShouldBe(0, promtool.Output);
    }

    [Fact]
    public void Every_alert_has_a_firing_and_a_silent_test()
    {
        var cases = Yaml.ReadFile(Repository.FileAt([.. Monitoring, "alerts.test.yaml"])).All("tests")
            .SelectMany(t => t.All("alert_rule_test")).ToList();
        var names = Rules.Select(r => r.Text("alert")).ToList();

        names.ShouldBeUnique();
        cases.Where(c => c.All("exp_alerts").Any()).Select(c => c.Text("alertname")).Distinct().ShouldBe(names, ignoreOrder: true);
        cases.Where(c => !c.All("exp_alerts").Any()).Select(c => c.Text("alertname")).Distinct().ShouldBe(names, ignoreOrder: true);
    }

    [Fact]
    public void Every_alert_has_a_description_and_a_runbook_link()
    {
        var headings = Heading().Matches(File.ReadAllText(Repository.FileAt("docs", "operations.md")))
            .Select(m => m.Groups["text"].Value.ToLowerInvariant().Replace(":", "", StringComparison.Ordinal).Replace(' ', '-')).ToList();

        Rules.ShouldAllBe(r => r.Text("labels.severity") == "critical" || r.Text("labels.severity") == "warning");
        Rules.ShouldAllBe(r => r.Text("annotations.summary") != null && r.Text("annotations.description") != null);
        var links = Rules.Select(r => r.Text("annotations.runbook_url")!.Split('#')).ToList();
        links.ShouldAllBe(l => l[0] == "docs/operations.md");
        links.Select(l => l[1]).Except(headings).ShouldBeEmpty("sections of docs/operations.md");
    }

    [Fact]
    public void The_dashboard_is_complete_and_provisioned()
    {
        var dashboard = JsonNode.Parse(File.ReadAllText(Repository.FileAt("deploy", "grafana", "taskqueue.json")))!;
        var panels = dashboard.All("panels").ToList();

        panels.Select(p => p.Whole("id")).ShouldBeUnique();
        panels.ShouldAllBe(p => p.Whole("gridPos.x") + p.Whole("gridPos.w") <= 24);
        panels.Where(p => p.Text("type") != "row")
            .ShouldAllBe(p => p.All("targets").Any() && p.All("targets").All(t => t.Text("datasource.uid") == "${datasource}"));
        var variables = dashboard.All("templating.list").Select(v => v.Text("name")!).ToHashSet();
        Variable().Matches(dashboard.At("panels")!.ToJsonString()).Select(m => m.Groups["name"].Value)
            .Where(n => !n.StartsWith("__", StringComparison.Ordinal)).Distinct().ShouldBe(variables, ignoreOrder: true);
        var volume = Deployed.Compose.All("services.grafana.volumes").Select(v => v.ToString().Split(':'))
            .Single(v => v[0] == "./deploy/grafana/taskqueue.json")[1];
        var provider = Yaml.ReadFile(Repository.FileAt("deploy", "grafana", "provisioning", "dashboards", "taskqueue.yaml"))
            .All("providers").ShouldHaveSingleItem();
        provider.Text("options.path").ShouldBe(Path.GetDirectoryName(volume));
        Deployed.Compose.Text("services.grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH").ShouldBe(volume);
    }

    [GeneratedRegex("^#{2,4} (?<text>.*)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Heading();

    [GeneratedRegex(@"\$\{?(?<name>[a-z_]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Variable();
}
