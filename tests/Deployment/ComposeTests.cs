using System.Text.Json.Nodes;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>Checks compose.yaml as far as possible without a container engine.</summary>
public sealed class ComposeTests
{
    private static readonly JsonObject Services = Deployed.Compose.At("services")!.AsObject();

    [Fact]
    public void One_process_per_role_starts_after_the_migration_and_the_broker()
    {
        var starts = Deployed.InCompose().ToList();
        starts.Select(s => string.Join(' ', s.Arguments.Take(2)))
            .ShouldBe(["migrate", "--roles api", "--roles scheduler", "--roles consumers"]);
        starts.Select(s => s.Image).Distinct().ShouldHaveSingleItem();
        Services["migrate"].Text("depends_on.postgres.condition").ShouldBe("service_healthy");
        foreach (var (name, service) in Services.Where(s => s.Key.StartsWith("taskqueue-", StringComparison.Ordinal)))
        {
            service.Text("depends_on.migrate.condition").ShouldBe("service_completed_successfully", name);
            service.Text("depends_on.rabbitmq.condition").ShouldBe("service_healthy", name);
            (service.Flag("read_only"), service.Text("cap_drop.0")).ShouldBe((true, "ALL"), name);
        }

        foreach (var healthy in new[] { "postgres", "rabbitmq" })
            Services[healthy].All("healthcheck.test").ShouldNotBeEmpty(healthy);
    }

    [Fact]
    public void Nothing_listens_beyond_this_machine_and_every_mounted_file_exists()
    {
        Services.SelectMany(s => s.Value.All("ports")).Select(p => p.ToString())
            .ShouldAllBe(p => p.StartsWith("127.0.0.1:", StringComparison.Ordinal));
        var files = Services.SelectMany(s => s.Value.All("volumes")).Select(v => v.ToString().Split(':')[0])
            .Where(v => v.StartsWith("./", StringComparison.Ordinal))
            .Concat(Deployed.Compose.At("secrets")!.AsObject().Select(s => s.Value.Text("file")!)).ToList();

        files.Count.ShouldBe(6);
        files.ShouldAllBe(f => Path.Exists(Repository.FileAt(f)));
        var volumes = Services.SelectMany(s => s.Value.All("volumes")).Select(v => v.ToString().Split(':')[0])
            .Where(v => !v.StartsWith('.'));
        volumes.ShouldBe(Deployed.Compose.At("volumes")!.AsObject().Select(v => v.Key), ignoreOrder: true);
    }

    [Fact]
    public void Every_dependency_and_connection_names_a_service()
    {
        foreach (var needed in Services.SelectMany(s =>
            s.Value.At("depends_on") switch { JsonObject o => o.Select(m => m.Key), JsonArray a => a.Select(n => n!.ToString()), _ => [] }))
            Services.ContainsKey(needed).ShouldBeTrue(needed);
        foreach (var start in Deployed.InCompose())
        {
            start.Environment["ConnectionStrings__TaskQueue"].ShouldStartWith("Host=postgres;");
            if (start.Environment.TryGetValue("ConnectionStrings__RabbitMq", out var broker))
                new Uri(broker).Host.ShouldBe("rabbitmq");
        }

        new Uri(Yaml.ReadFile(Repository.FileAt("deploy", "grafana", "provisioning", "datasources", "prometheus.yaml"))
            .Text("datasources.0.url")!).Authority.ShouldBe("prometheus:9090");
    }

    [Fact]
    public void Prometheus_scrapes_every_role_on_its_operations_port()
    {
        var jobs = Yaml.ReadFile(Repository.FileAt("deploy", "prometheus", "prometheus.yml")).All("scrape_configs").ToList();

        jobs.Select(j => j.Text("job_name"))
            .ShouldBe(Services.Select(s => s.Key).Where(k => k.StartsWith("taskqueue-", StringComparison.Ordinal)));
        foreach (var job in jobs)
        {
            var target = job.All("dns_sd_configs").ShouldHaveSingleItem();
            target.All("names").ShouldHaveSingleItem().ToString().ShouldBe(job.Text("job_name"));
            target.Whole("port").ShouldBe(new Uri(Services[job.Text("job_name")!].Text("environment.TaskQueue__Operations__Urls")!).Port);
        }
    }

    [Fact]
    public void No_process_is_killed_before_its_grace_period_ends()
    {
        foreach (var start in Deployed.InCompose().Where(s => s.Arguments is not ["migrate"]))
        {
            var given = int.Parse(Services[start.Where.Split(' ')[1]].Text("stop_grace_period")!.TrimEnd('s'));
            var environment = start.Environment.ToDictionary();
            (ManifestPodTests.Seconds(environment, "TaskQueue__Drain__AnnounceSeconds")
                + ManifestPodTests.Seconds(environment, "TaskQueue__Drain__GraceSeconds") + ManifestPodTests.Margin)
                .ShouldBeLessThanOrEqualTo(given, start.Where);
        }
    }
}
