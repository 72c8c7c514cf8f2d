using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Shouldly;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Deployment;

/// <summary>The output of <c>kubectl kustomize</c> for an overlay.</summary>
internal sealed class Overlay
{
    public const string Dev = "dev", Production = "production";

    private static readonly ConcurrentDictionary<string, Lazy<Task<Overlay>>> Rendered = new();

    private Overlay(IReadOnlyList<JsonNode> documents) => Documents = documents;

    public static string[] Names { get; } = [Dev, Production];

    public IReadOnlyList<JsonNode> Documents { get; }

    /// <summary>Pods of the overlay: those of Deployments, StatefulSets and Jobs, with the document that defines them.</summary>
    public IEnumerable<(JsonNode Owner, JsonNode Pod)> Pods =>
        Documents.Where(d => d.Text("kind") is "Deployment" or "StatefulSet" or "Job").Select(d => (d, d.At("spec.template")!));

    /// <summary>The pods that run the program.</summary>
    public IEnumerable<(JsonNode Owner, JsonNode Pod)> OwnPods =>
        Pods.Where(p => NameOf(p.Owner).StartsWith("taskqueue-", StringComparison.Ordinal));

    public static Task<Overlay> RenderAsync(string name) => Rendered.GetOrAdd(name, n => new(() => RunAsync(n))).Value;

    public static string NameOf(JsonNode document) => document.Text("metadata.name")!;

    public IEnumerable<JsonNode> OfKind(string kind) => Documents.Where(d => d.Text("kind") == kind);

    public JsonNode Find(string kind, string name) =>
        OfKind(kind).SingleOrDefault(d => NameOf(d) == name) ?? throw new InvalidOperationException($"There is no {kind} {name}.");

    /// <summary>The environment of a container, ConfigMaps and secrets resolved; a value of a secret is <c>secret:name/key</c>.</summary>
    public Dictionary<string, string> EnvironmentOf(JsonNode container)
    {
        var environment = container.All("envFrom").SelectMany(source => Find("ConfigMap", source.Text("configMapRef.name")!).Map("data"))
            .ToDictionary();
        foreach (var variable in container.All("env"))
        {
            environment[variable.Text("name")!] = variable.Text("value")
                ?? (variable.At("valueFrom.secretKeyRef") is { } secret ? $"secret:{secret.Text("name")}/{secret.Text("key")}"
                    : variable.Text("valueFrom.fieldRef.fieldPath")!);
        }

        return environment;
    }

    private static async Task<Overlay> RunAsync(string name)
    {
        using var kubectl = new Command("kubectl", ["kustomize", Repository.FileAt("k8s", "overlays", name)]);
        var status = await kubectl.WaitAsync(TimeSpan.FromSeconds(60));
        kubectl.Errors.ShouldBeEmpty("warnings count: what is deprecated is told there");
        status.ShouldBe(0);
        return new(Yaml.ReadAll(string.Join('\n', kubectl.Results)));
    }
}
