using System.Globalization;
using System.Text.Json.Nodes;

namespace TaskQueue.Tests.Deployment;

/// <summary>Path access to JSON.</summary>
internal static class Nodes
{
    /// <summary>The node at a path such as <c>spec.containers.0.image</c>, or null.</summary>
    public static JsonNode? At(this JsonNode? node, string path)
    {
        foreach (var part in path.Split('.'))
        {
            node = node switch
            {
                JsonObject members => members[part],
                JsonArray list => int.Parse(part, CultureInfo.InvariantCulture) is var index && index < list.Count ? list[index] : null,
                _ => null,
            };
        }

        return node;
    }

    /// <summary>The text or number at a path, as text.</summary>
    public static string? Text(this JsonNode? node, string path) => node.At(path)?.ToString();

    /// <summary>The number at a path, or 0.</summary>
    public static int Whole(this JsonNode? node, string path) => int.Parse(node.Text(path) ?? "0", CultureInfo.InvariantCulture);

    /// <summary>The boolean at a path, or null.</summary>
    public static bool? Flag(this JsonNode? node, string path) => node.At(path)?.GetValue<bool>();

    /// <summary>The elements of the list at a path; empty if there is no list.</summary>
    public static IEnumerable<JsonNode> All(this JsonNode? node, string path) => (node.At(path) as JsonArray ?? []).OfType<JsonNode>();

    /// <summary>The members of the object at a path, as text; empty if there is no object.</summary>
    public static Dictionary<string, string> Map(this JsonNode? node, string path) =>
        (node.At(path) as JsonObject ?? []).ToDictionary(m => m.Key, m => m.Value?.ToString() ?? "");
}
