using System.Text.Json.Nodes;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Deployment;

/// <summary>How a file of the repository starts the program.</summary>
/// <param name="Where">The file and the place in it.</param>
/// <param name="Image">The image.</param>
/// <param name="Arguments">Arguments of the entry point.</param>
/// <param name="Environment">Environment variables.</param>
internal sealed record Deployed(string Where, string Image, IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment)
{
    public static JsonNode Compose { get; } = Yaml.ReadFile(Repository.FileAt("compose.yaml"));

    /// <summary>Every start in compose.yaml and in the overlays.</summary>
    public static async Task<IReadOnlyList<Deployed>> AllAsync()
    {
        var all = InCompose().ToList();
        foreach (var name in Overlay.Names)
        {
            var overlay = await Overlay.RenderAsync(name);
            all.AddRange(from pod in overlay.OwnPods
                         let container = pod.Pod.At("spec.containers.0")!
                         select new Deployed($"{name}: {Overlay.NameOf(pod.Owner)}", container.Text("image")!, TextsOf(container, "args"),
                             overlay.EnvironmentOf(container)));
        }

        return all;
    }

    /// <summary>The services of compose.yaml that run the program.</summary>
    public static IEnumerable<Deployed> InCompose() =>
        from service in Compose.At("services")!.AsObject()
        where service.Value.At("build") is not null
        select new Deployed($"compose.yaml: {service.Key}", service.Value.Text("image")!, TextsOf(service.Value!, "command"),
            service.Value.Map("environment"));

    private static List<string> TextsOf(JsonNode container, string member) => [.. container.All(member).Select(a => a.ToString())];
}
