using System.Text.Json.Nodes;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Queues;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>Production adds autoscalers, an Ingress and alerts.</summary>
public sealed class ScalingManifestTests
{
    [Fact]
    public async Task Consumers_scale_on_existing_queues_with_their_concurrency_as_target()
    {
        var overlay = await Overlay.RenderAsync(Overlay.Production);
        var consumers = overlay.Find("Deployment", "taskqueue-consumers");
        var environment = overlay.EnvironmentOf(consumers.At("spec.template.spec.containers.0")!);
        var triggers = overlay.Find("ScaledObject", "taskqueue-consumers").All("spec.triggers").ToList();

        var concurrency = new Dictionary<string, string>
        {
            [$"/scaling/{BuiltInQueues.Tasks}"] = environment["TaskQueue__Actions__Concurrency"],
            [$"/scaling/{new AgentOptions().Queue}"] = environment["TaskQueue__Agent__Concurrency"],
        };
        var asked = triggers.Where(t => t.Text("type") == "metrics-api")
            .ToDictionary(t => new Uri(t.Text("metadata.url")!).AbsolutePath, t => t.Text("metadata.targetValue")!);
        asked.ShouldBe(concurrency, ignoreOrder: true);
        triggers.Where(t => t.Text("type") == "rabbitmq").Select(t => t.Text("metadata.queueName"))
            .ShouldBe([Addresses.SubmitQueue, Addresses.ReportQueue]);
    }

    [Fact]
    public async Task The_scaler_calls_a_service_of_this_namespace_on_its_port()
    {
        var overlay = await Overlay.RenderAsync(Overlay.Production);
        foreach (var trigger in overlay.Find("ScaledObject", "taskqueue-consumers").All("spec.triggers")
            .Where(t => t.Text("type") == "metrics-api"))
        {
            var url = new Uri(trigger.Text("metadata.url")!);
            var service = overlay.Find("Service", url.Host.Split('.')[0]);
            url.Host.ShouldBe($"{Overlay.NameOf(service)}.{service.Text("metadata.namespace")}.svc");
            service.All("spec.ports").ShouldHaveSingleItem().Whole("port").ShouldBe(url.Port);
        }
    }

    [Fact]
    public async Task Scaled_deployments_set_no_replicas_and_the_others_set_two()
    {
        var overlay = await Overlay.RenderAsync(Overlay.Production);
        var scaled = overlay.Documents.Select(d => d.Text("spec.scaleTargetRef.name")).OfType<string>().ToList();

        scaled.ShouldBe(["taskqueue-api", "taskqueue-consumers"], ignoreOrder: true);
        scaled.ShouldAllBe(name => overlay.Find("Deployment", name).At("spec.replicas") == null);
        overlay.Find("Deployment", "taskqueue-scheduler").Whole("spec.replicas").ShouldBe(2);
        (await Overlay.RenderAsync(Overlay.Dev)).OfKind("Deployment").ShouldAllBe(d => d.Whole("spec.replicas") == 1);
    }

    [Fact]
    public async Task The_ingress_neither_buffers_nor_cuts_long_polls_and_streams()
    {
        var annotations = (await Overlay.RenderAsync(Overlay.Production)).Find("Ingress", "taskqueue").Map("metadata.annotations")
            .ToDictionary(a => a.Key["nginx.ingress.kubernetes.io/".Length..], a => a.Value);

        annotations["proxy-buffering"].ShouldBe("off");
        annotations["proxy-request-buffering"].ShouldBe("off");
        int.Parse(annotations["proxy-read-timeout"]).ShouldBeGreaterThanOrEqualTo(3600);
        // Includes the rest of the form around the file.
        (long.Parse(annotations["proxy-body-size"].TrimEnd('m')) * 1024 * 1024).ShouldBeGreaterThan(new FileStoreOptions().MaxBytes);
    }

    [Fact]
    public async Task The_operator_gets_the_alerts_of_the_rules_file()
    {
        var rule = (await Overlay.RenderAsync(Overlay.Production)).Find("PrometheusRule", "taskqueue");
        JsonNode.DeepEquals(rule.At("spec.groups"), Yaml.ReadFile(Repository.FileAt("deploy", "prometheus", "alerts.yaml")).At("groups"))
            .ShouldBeTrue();
    }
}
