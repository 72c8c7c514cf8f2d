using System.Text.Json.Nodes;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>Everything that one manifest references in another exists: labels, ports, keys, accounts.</summary>
public sealed class ManifestWiringTests
{
    private const string Secret = "taskqueue";

    public static TheoryData<string> Overlays => new() { Overlay.Dev, Overlay.Production };

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Every_selector_matches_existing_pods(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        foreach (var (owner, pod) in overlay.Pods)
        {
            if (owner.At("spec.selector") is { } own)
                Selects(own, pod).ShouldBeTrue(Overlay.NameOf(owner));
            foreach (var spread in pod.All("spec.topologySpreadConstraints"))
                Selects(spread.At("labelSelector")!, pod).ShouldBeTrue($"spread of {Overlay.NameOf(owner)}");
        }

        var selectors = new (string Kind, string Path)[] { ("PodDisruptionBudget", "spec.selector"), ("NetworkPolicy", "spec.podSelector"),
            ("PodMonitor", "spec.selector") };
        foreach (var (kind, path) in selectors)
        {
            foreach (var document in overlay.OfKind(kind))
                overlay.Pods.ShouldContain(p => Selects(document.At(path)!, p.Pod), $"{kind} {Overlay.NameOf(document)}");
        }

        foreach (var peer in overlay.OfKind("NetworkPolicy")
            .SelectMany(p =>
                p.All("spec.ingress").SelectMany(i => i.All("from")).Concat(p.All("spec.egress").SelectMany(e => e.All("to")))))
        {
            if (peer.At("podSelector") is { } pods && peer.At("namespaceSelector") is null)
                overlay.Pods.ShouldContain(p => Selects(pods, p.Pod), peer.ToJsonString());
        }
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Every_named_port_exists_on_its_container(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        foreach (var service in overlay.OfKind("Service"))
        {
            var pods = overlay.Pods.Where(p =>
                service.Map("spec.selector").All(l => p.Pod.Map("metadata.labels").GetValueOrDefault(l.Key) == l.Value)).ToList();
            pods.ShouldHaveSingleItem(Overlay.NameOf(service));
            foreach (var port in service.All("spec.ports"))
                PortsOf(pods[0].Pod).ShouldContain(port.Text("targetPort")!, Overlay.NameOf(service));
        }

        foreach (var policy in overlay.OfKind("NetworkPolicy"))
        {
            foreach (var port in policy.All("spec.ingress").SelectMany(i => i.All("ports")).Select(p => p.Text("port")!))
            {
                foreach (var (owner, pod) in overlay.Pods.Where(p => p.Owner.Text("kind") != "Job"
                    && Selects(policy.At("spec.podSelector")!, p.Pod)))
                    PortsOf(pod).Concat(NumbersOf(pod)).ShouldContain(port, $"{Overlay.NameOf(policy)} and {Overlay.NameOf(owner)}");
            }
        }

        foreach (var monitor in overlay.OfKind("PodMonitor"))
            overlay.Pods.Where(p => Selects(monitor.At("spec.selector")!, p.Pod))
                .ShouldAllBe(p => monitor.All("spec.podMetricsEndpoints").All(e => PortsOf(p.Pod).Contains(e.Text("port")!)));
        foreach (var backend in overlay.OfKind("Ingress").SelectMany(i => i.All("spec.rules")).SelectMany(r => r.All("http.paths"))
            .Select(p => p.At("backend.service")))
            overlay.Find("Service", backend.Text("name")!).All("spec.ports").Select(p => p.Text("name"))
                .ShouldContain(backend.Text("port.name"));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Every_reference_resolves(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        var secrets = await SecretsAsync(overlay);
        foreach (var (owner, pod) in overlay.Pods)
        {
            var about = $"{Overlay.NameOf(owner)} of {name}";
            if (pod.Text("spec.serviceAccountName") is { } account)
                overlay.Find("ServiceAccount", account);
            foreach (var container in pod.All("spec.containers"))
            {
                foreach (var reference in overlay.EnvironmentOf(container)
                    .Values.Where(v => v.StartsWith("secret:", StringComparison.Ordinal)))
                    secrets.ShouldContain(reference, about);
                container.All("volumeMounts").Select(m => m.Text("name")).Except(VolumesOf(owner, pod)).ShouldBeEmpty(about);
            }

            foreach (var volume in pod.All("spec.volumes").Where(v => v.At("secret") is not null))
                volume.All("secret.items").ShouldAllBe(i => secrets.Contains($"secret:{volume.Text("secret.secretName")}/{i.Text("key")}"));
        }

        foreach (var reference in overlay.OfKind("TriggerAuthentication").SelectMany(t => t.All("spec.secretTargetRef")))
            secrets.ShouldContain($"secret:{reference.Text("name")}/{reference.Text("key")}");
        foreach (var target in overlay.Documents.Select(d => d.At("spec.scaleTargetRef")).OfType<JsonNode>())
            overlay.Find("Deployment", target.Text("name")!);
        foreach (var trigger in overlay.OfKind("ScaledObject").SelectMany(s => s.All("spec.triggers"))
            .Where(t => t.At("authenticationRef") is not null))
            overlay.Find("TriggerAuthentication", trigger.Text("authenticationRef.name")!);
        foreach (var binding in overlay.OfKind("RoleBinding"))
        {
            overlay.Find(binding.Text("roleRef.kind")!, binding.Text("roleRef.name")!);
            binding.All("subjects")
                .ShouldAllBe(s => s.Text("namespace") == binding.Text("metadata.namespace")
                    && overlay.Find("ServiceAccount", s.Text("name")!) != null);
        }

        foreach (var binding in overlay.OfKind("ValidatingAdmissionPolicyBinding"))
            overlay.Find("ValidatingAdmissionPolicy", binding.Text("spec.policyName")!);
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Every_object_is_in_its_overlays_namespace_where_only_policies_allow_traffic(string name)
    {
        var overlay = await Overlay.RenderAsync(name);
        var @namespace = Overlay.NameOf(overlay.OfKind("Namespace").ShouldHaveSingleItem());
        string[] global = ["Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
        overlay.Documents.Where(d => !global.Contains(d.Text("kind")!)).ShouldAllBe(d => d.Text("metadata.namespace") == @namespace);

        var policies = overlay.OfKind("NetworkPolicy").ToList();
        var deny = policies.Single(p => p.At("spec.podSelector") is JsonObject { Count: 0 });
        deny.All("spec.policyTypes").Select(t => t.ToString()).ShouldBe(["Ingress", "Egress"]);
        (deny.At("spec.ingress") ?? deny.At("spec.egress")).ShouldBeNull();
        policies.SelectMany(p => p.All("spec.ingress")).ShouldAllBe(i => i.All("from").Any() && i.All("ports").Any());
        policies.SelectMany(p => p.All("spec.egress")).ShouldAllBe(e => e.All("to").Any() && e.All("ports").Any());
    }

    /// <summary>Whether a selector selects the pods of a template.</summary>
    internal static bool Selects(JsonNode selector, JsonNode pod)
    {
        var labels = pod.Map("metadata.labels");
        return selector.Map("matchLabels").All(l => labels.GetValueOrDefault(l.Key) == l.Value)
            && selector.All("matchExpressions")
                .All(e => e.Text("operator") == "In" && e.All("values").Any(v => v.ToString() == labels.GetValueOrDefault(e.Text("key")!)));
    }

    private static IEnumerable<string> PortsOf(JsonNode pod) =>
        pod.All("spec.containers").SelectMany(c => c.All("ports")).Select(p => p.Text("name")!);

    private static IEnumerable<string> NumbersOf(JsonNode pod) =>
        pod.All("spec.containers").SelectMany(c => c.All("ports")).Select(p => p.Text("containerPort")!);

    private static IEnumerable<string?> VolumesOf(JsonNode owner, JsonNode pod) =>
        pod.All("spec.volumes").Select(v => v.Text("name"))
            .Concat(owner.All("spec.volumeClaimTemplates").Select(v => v.Text("metadata.name")));

    /// <summary>The keys of its secrets. Production supplies its own, with the same keys as dev.</summary>
    private static async Task<HashSet<string>> SecretsAsync(Overlay overlay)
    {
        var keys = overlay.OfKind("Secret").SelectMany(s => s.Map("data").Keys.Select(k => $"secret:{Overlay.NameOf(s)}/{k}")).ToHashSet();
        if (keys.Count == 0)
        {
            var dev = await Overlay.RenderAsync(Overlay.Dev);
            keys.UnionWith(dev.OfKind("Secret").Single(s => Overlay.NameOf(s).StartsWith($"{Secret}-", StringComparison.Ordinal))
                .Map("data").Keys.Select(k => $"secret:{Secret}/{k}"));
        }

        return keys;
    }
}
