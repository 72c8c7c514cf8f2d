using System.Text.Json.Nodes;
using Shouldly;
using TaskQueue.Client.Kubernetes;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>The consumers' pods have the permissions and variables to publish their load.</summary>
public sealed class OwnPodTests
{
    public static TheoryData<string> Overlays => new() { Overlay.Dev, Overlay.Production };

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Variables_are_settings_that_the_program_reads(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        var container = Consumers(overlay).At("spec.containers.0")!;
        var environment = overlay.EnvironmentOf(container);
        var read = new HashSet<string>();

        _ = new OwnPod(variable => read.Add(variable) ? environment.GetValueOrDefault(variable) : null, OwnPod.MountedAccount).IsInCluster;

        // The rest is what Kubernetes sets in every container.
        read.Where(v => !v.StartsWith("KUBERNETES_", StringComparison.Ordinal)).ShouldBe(["POD_NAME", "POD_NAMESPACE"], ignoreOrder: true);
        (environment["POD_NAME"], environment["POD_NAMESPACE"]).ShouldBe(("metadata.name", "metadata.namespace"));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Its_service_account_may_only_patch_pods(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        var pod = Consumers(overlay);
        pod.Flag("spec.automountServiceAccountToken").ShouldBe(true);
        var binding = overlay.OfKind("RoleBinding").ShouldHaveSingleItem();
        binding.All("subjects").ShouldHaveSingleItem().Text("name").ShouldBe(pod.Text("spec.serviceAccountName"));
        var rule = overlay.Find("Role", binding.Text("roleRef.name")!).All("rules").ShouldHaveSingleItem();

        (rule.At("apiGroups")!.ToJsonString(), rule.At("resources")!.ToJsonString(), rule.At("verbs")!.ToJsonString())
            .ShouldBe(("[\"\"]", "[\"pods\"]", "[\"patch\"]"));
        overlay.OfKind("ClusterRoleBinding").ShouldBeEmpty();
    }

    private static JsonNode Consumers(Overlay overlay) => overlay.Find("Deployment", "taskqueue-consumers").At("spec.template")!;
}
