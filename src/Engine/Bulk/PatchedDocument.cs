using System.Globalization;
using System.Text.Json.Nodes;

namespace TaskQueue.Engine.Bulk;

/// <summary>A JSON document while a patch is applied to it. A JSON null is a null node.</summary>
internal sealed class PatchedDocument(JsonNode? root, int maxChars)
{
    /// <summary>The only member of a value that the client's codec has encoded.</summary>
    private const string Envelope = "$enc";

    private long _copied; // a few copies of copies would fill the memory

    /// <summary>The document.</summary>
    public JsonNode? Root { get; private set; } = root;

    /// <summary>Finds a value.</summary>
    public bool TryFind(JsonPointer path, out JsonNode? value)
    {
        value = Root;
        foreach (var name in path.Names)
        {
            if (!TryStep(value, name, out value))
                return false;
        }

        return true;
    }

    /// <summary>Copies a value.</summary>
    /// <exception cref="InvalidPatchException">All copies together are too large.</exception>
    public bool TryCopy(JsonPointer path, out JsonNode? copy)
    {
        copy = null;
        if (!TryFind(path, out var value))
            return false;
        _copied += value?.ToJsonString().Length ?? 0;
        if (_copied > maxChars)
            throw JsonPatch.TooLarge(maxChars);
        copy = value?.DeepClone();
        return true;
    }

    /// <summary>Adds a member, replaces one, or inserts an item.</summary>
    public bool TryAdd(JsonPointer path, JsonNode? value)
    {
        if (path.Names.Count == 0)
        {
            Root = value;
            return true;
        }

        switch (ParentOf(path))
        {
            case JsonObject parent:
                DemandPlain(parent);
                parent[path.Names[^1]] = value;
                return true;
            case JsonArray items when path.Names[^1] == "-":
                items.Add(value);
                return true;
            case JsonArray items when TryIndex(path.Names[^1], items.Count, out var index):
                items.Insert(index, value);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Replaces a value.</summary>
    public bool TryReplace(JsonPointer path, JsonNode? value)
    {
        if (!TryFind(path, out _))
            return false;
        if (path.Names.Count == 0)
            Root = value;
        else if (ParentOf(path) is JsonArray items)
            items[int.Parse(path.Names[^1], CultureInfo.InvariantCulture)] = value;
        else
            ((JsonObject)ParentOf(path)!)[path.Names[^1]] = value;
        return true;
    }

    /// <summary>Removes a value, and returns it.</summary>
    public bool TryTake(JsonPointer path, out JsonNode? value)
    {
        if (!TryFind(path, out value))
            return false;
        if (path.Names.Count == 0)
            Root = null;
        else if (ParentOf(path) is JsonArray items)
            items.RemoveAt(int.Parse(path.Names[^1], CultureInfo.InvariantCulture));
        else
            ((JsonObject)ParentOf(path)!).Remove(path.Names[^1]);
        return true;
    }

    private JsonNode? ParentOf(JsonPointer path) =>
        TryFind(path with { Names = [.. path.Names.SkipLast(1)] }, out var parent) ? parent : null;

    private static bool TryStep(JsonNode? node, string name, out JsonNode? value)
    {
        value = null;
        switch (node)
        {
            case JsonObject members:
                DemandPlain(members);
                return members.TryGetPropertyValue(name, out value);
            case JsonArray items when TryIndex(name, items.Count - 1, out var index):
                value = items[index];
                return true;
            default:
                return false;
        }
    }

    /// <summary>Nothing within an encoded value can be patched: it would no longer be decoded.</summary>
    private static void DemandPlain(JsonObject members)
    {
        if (members.Count == 1 && members.ContainsKey(Envelope))
        {
            throw new InvalidPatchException(
                "the value is encoded by the program that submitted the task; only the whole of it can be replaced");
        }
    }

    /// <summary>Digits without leading zeros.</summary>
    private static bool TryIndex(string name, int last, out int index)
    {
        index = -1;
        return (name == "0" || (name.Length is > 0 and < 10 && name[0] != '0'))
            && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out index) && index <= last;
    }
}
