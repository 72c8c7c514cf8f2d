using System.Text.Json.Nodes;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>Manifests against the schemas of Kubernetes, KEDA and the Prometheus operator.</summary>
public sealed class ManifestSchemaTests
{
    /// <summary>A kind, the place of a member, and its value in JSON; null removes the member.</summary>
    private static readonly (string Kind, string Path, string Member, string? Json)[] Mistakes =
    [
        ("Deployment", "spec.template.spec.containers.0", "imagePullPolicies", "\"Always\""),
        ("Service", "spec.ports.0", "port", "\"80\""),
        ("Job", "spec", "ttlSecondsAfterFinish", "60"),
        ("ServiceAccount", "metadata", "label", "{}"),
        ("ConfigMap", "data", "number", "1"),
        ("PodDisruptionBudget", "spec", "maxUnavailables", "1"),
        ("NetworkPolicy", "spec", "ingress", "[{\"form\": []}]"),
        ("HorizontalPodAutoscaler", "spec", "maxReplicas", null),
        ("Ingress", "spec.rules.0.http.paths.0", "pathType", null),
        ("ValidatingAdmissionPolicy", "spec", "failurePolicies", "\"Fail\""),
        ("ScaledObject", "spec", "pollingIntervals", "15"),
        ("TriggerAuthentication", "spec.secretTargetRef.0", "key", null),
        ("PodMonitor", "spec.podMetricsEndpoints.0", "interval", "15"),
        ("PrometheusRule", "spec.groups.0.rules.0", "annotation", "{}"),
    ];

    public static TheoryData<string> Overlays => new() { Overlay.Dev, Overlay.Production };

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Every_document_matches_its_schema(string name)
    {
        var documents = (await Overlay.RenderAsync(name)).Documents;

        documents.Count.ShouldBeGreaterThan(30);
        (await ProblemsAsync(documents)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Unknown_members_wrong_types_and_missing_members_are_refused()
    {
        var production = await Overlay.RenderAsync(Overlay.Production);
        var wrong = Mistakes.Select(mistake =>
        {
            var document = production.OfKind(mistake.Kind).First().DeepClone();
            var at = document.At(mistake.Path)!.AsObject();
            if (mistake.Json is null)
                at.Remove(mistake.Member).ShouldBeTrue($"{mistake.Kind} has {mistake.Member}");
            else
                at[mistake.Member] = JsonNode.Parse(mistake.Json);
            return document;
        });
        var unknown = JsonNode.Parse("""{"apiVersion": "apps/v1", "kind": "Deploymentt", "metadata": {"name": "x"}}""")!;

        var problems = await ProblemsAsync([.. wrong, unknown]);

        foreach (var kind in Mistakes.Select(m => m.Kind).Append("Deploymentt"))
            problems.ShouldContain(p => p.StartsWith(kind, StringComparison.Ordinal), kind);
    }

    private static async Task<IReadOnlyList<string>> ProblemsAsync(IReadOnlyList<JsonNode> documents) =>
        await NodeScript.RunAsync<string[]>("manifests.mjs", documents);
}
