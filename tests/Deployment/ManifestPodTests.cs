using Shouldly;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>How the pods of the program run in every overlay.</summary>
public sealed class ManifestPodTests
{
    /// <summary>Seconds that a process has beyond its announcement and its grace period to close what it holds.</summary>
    internal const int Margin = 15;

    private static readonly string[] Roles = ["api", "scheduler", "consumers"];

    public static TheoryData<string> Overlays => new() { Overlay.Dev, Overlay.Production };

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Every_container_is_restricted_and_has_resource_limits(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        overlay.OwnPods.Count().ShouldBe(Roles.Length + 1);
        foreach (var (owner, pod) in overlay.Pods)
        {
            var about = $"{Overlay.NameOf(owner)} of {name}";
            pod.Flag("spec.securityContext.runAsNonRoot").ShouldBe(true, about);
            pod.Whole("spec.securityContext.runAsUser").ShouldBeGreaterThan(0, about);
            pod.Text("spec.securityContext.seccompProfile.type").ShouldBe("RuntimeDefault", about);
            var container = pod.All("spec.containers").ShouldHaveSingleItem(about);
            container.Flag("securityContext.allowPrivilegeEscalation").ShouldBe(false, about);
            container.All("securityContext.capabilities.drop").Select(c => c.ToString()).ShouldBe(["ALL"], about);
            foreach (var share in new[] { "requests.cpu", "requests.memory", "limits.cpu", "limits.memory" })
                container.Text($"resources.{share}").ShouldNotBeNull($"{share} of {about}");
            if (pod.Text("spec.serviceAccountName") != "taskqueue-consumers")
                pod.Flag("spec.automountServiceAccountToken").ShouldBe(false, about);
        }
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task The_program_writes_only_to_its_temporary_folder(string name)
    {
        foreach (var (owner, pod) in (await Overlay.RenderAsync(name)).OwnPods)
        {
            var container = pod.All("spec.containers").Single();
            container.Flag("securityContext.readOnlyRootFilesystem").ShouldBe(true, Overlay.NameOf(owner));
            var writable = container.All("volumeMounts").Where(m => m.Flag("readOnly") != true).ShouldHaveSingleItem();
            writable.Text("mountPath").ShouldBe("/tmp");
            pod.All("spec.volumes").Single(v => v.Text("name") == writable.Text("name")).Text("emptyDir.sizeLimit").ShouldNotBeNull();
        }
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task All_pods_run_one_image_as_its_user(string name)
    {
        var pods = (await Overlay.RenderAsync(name)).OwnPods.Select(p => p.Pod).ToList();
        pods.Select(p => p.Text("spec.containers.0.image")).Distinct().ShouldHaveSingleItem().ShouldNotBeNull().ShouldContain("taskqueue:");
        pods.Select(p => p.Whole("spec.securityContext.runAsUser")).Distinct().ShouldBe([Dockerfile.Read().User]);
        pods.ShouldAllBe(p => p.At("spec.containers.0.command") == null, "the image's entry point is the program");
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Each_role_is_rolled_out_without_downtime_and_spread_over_nodes(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        foreach (var role in Roles)
        {
            var deployment = overlay.Find("Deployment", $"taskqueue-{role}");
            deployment.Text("spec.strategy.rollingUpdate.maxUnavailable").ShouldBe("0", role);
            deployment.Whole("spec.revisionHistoryLimit").ShouldBeGreaterThan(0, role);
            overlay.Find("PodDisruptionBudget", $"taskqueue-{role}");
            deployment.All("spec.template.spec.topologySpreadConstraints").Select(c => c.Text("topologyKey"))
                .ShouldBe(["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
            var container = deployment.At("spec.template.spec.containers.0");
            container.All("args").Select(a => a.ToString()).Take(2).ShouldBe(["--roles", role]);
            container.All("ports").Select(p => p.Text("name")).ShouldBe(["http", "operations"]);
            foreach (var (probe, path) in new[] { ("startupProbe", "/health/live"), ("livenessProbe", "/health/live"),
                ("readinessProbe", "/health/ready") })
                (container.Text($"{probe}.httpGet.path"), container.Text($"{probe}.httpGet.port"))
                    .ShouldBe((path, "operations"), $"{probe} of {role}");
        }
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task No_process_is_killed_before_its_grace_period_ends(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        foreach (var (owner, pod) in overlay.OwnPods.Where(p => p.Owner.Text("kind") == "Deployment"))
        {
            var environment = overlay.EnvironmentOf(pod.At("spec.containers.0")!);
            var needed = Seconds(environment, "TaskQueue__Drain__AnnounceSeconds") + Seconds(environment,
                "TaskQueue__Drain__GraceSeconds") + Margin;
            pod.Whole("spec.terminationGracePeriodSeconds").ShouldBeGreaterThanOrEqualTo(needed, Overlay.NameOf(owner));
            // Load balancers notice the announcement before the port closes.
            pod.Whole("spec.containers.0.readinessProbe.periodSeconds")
                .ShouldBeLessThan(Seconds(environment, "TaskQueue__Drain__AnnounceSeconds"));
        }
    }

    internal static int Seconds(Dictionary<string, string> environment, string name) => int.Parse(environment[name]);

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Ports_are_the_ones_the_program_is_configured_to_listen_on(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        foreach (var (owner, pod) in overlay.OwnPods.Where(p => p.Owner.Text("kind") == "Deployment"))
        {
            var container = pod.At("spec.containers.0")!;
            var ports = container.All("ports").ToDictionary(p => p.Text("name")!, p => p.Whole("containerPort"));
            var arguments = container.All("args").Select(a => a.ToString()).ToList();
            new Uri(arguments[arguments.IndexOf("--urls") + 1]).Port.ShouldBe(ports["http"], Overlay.NameOf(owner));
            new Uri(overlay.EnvironmentOf(container)["TaskQueue__Operations__Urls"])
                .Port.ShouldBe(ports["operations"], Overlay.NameOf(owner));
            Dockerfile.Read().Ports.ShouldBe(ports.Values, ignoreOrder: true);
        }
    }
}
