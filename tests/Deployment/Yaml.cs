using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace TaskQueue.Tests.Deployment;

/// <summary>YAML as JSON, with the types that plain scalars have in YAML 1.2, and with merges (<c>&lt;&lt;</c>) done.</summary>
internal static class Yaml
{
    private const string Merge = "<<";

    /// <summary>Every document of a text.</summary>
    public static IReadOnlyList<JsonNode> ReadAll(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return [.. stream.Documents.Select(d => Convert(d.RootNode)).OfType<JsonNode>()];
    }

    /// <summary>The one document of a file of the repository.</summary>
    public static JsonNode ReadFile(string path) => ReadAll(File.ReadAllText(path)).Single();

    private static JsonNode? Convert(YamlNode node) => node switch
    {
        YamlMappingNode map => Members(map),
        YamlSequenceNode list => new JsonArray([.. list.Select(Convert)]),
        YamlScalarNode scalar => Scalar(scalar),
        _ => throw new FormatException($"{node.Start}: {node.NodeType}"),
    };

    private static JsonObject Members(YamlMappingNode map)
    {
        var members = new JsonObject();
        foreach (var (key, value) in map.Children.OrderByDescending(m => NameOf(m.Key) == Merge)) // own members replace merged ones
        {
            if (NameOf(key) != Merge)
            {
                members[NameOf(key)] = Convert(value);
                continue;
            }

            foreach (var (name, merged) in Members((YamlMappingNode)value))
                members[name] = merged?.DeepClone();
        }

        return members;
    }

    private static string NameOf(YamlNode key) => ((YamlScalarNode)key).Value ?? "";

    private static JsonValue? Scalar(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style is not ScalarStyle.Plain)
            return JsonValue.Create(text);
        return text switch
        {
            "" or "~" or "null" => null,
            "true" => JsonValue.Create(true),
            "false" => JsonValue.Create(false),
            _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) =>
                JsonValue.Create(whole),
            _ when text[0] is '-' or '.' or (>= '0' and <= '9')
                && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) => JsonValue.Create(real),
            _ => JsonValue.Create(text),
        };
    }
}
