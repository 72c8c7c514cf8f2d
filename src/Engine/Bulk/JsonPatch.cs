using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TaskQueue.Engine.Bulk;

/// <summary>
/// A JSON patch (RFC 6902). What it does not touch keeps its value exactly, also numbers that no number type holds; white space, and how
/// characters are escaped, may change.
/// </summary>
public sealed class JsonPatch
{
    /// <summary>Most operations of a patch.</summary>
    public const int MaxSteps = 100;

    /// <summary>Most characters of a patch as text.</summary>
    public const int MaxChars = 64 * 1024;

    private static readonly JsonSerializerOptions Style = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly List<Step> _steps;

    private JsonPatch(List<Step> steps) => _steps = steps;

    /// <summary>Reads a patch.</summary>
    /// <exception cref="InvalidPatchException">It is none.</exception>
    public static JsonPatch Read(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length > MaxChars)
            throw new InvalidPatchException($"patch must have at most {MaxChars} characters");
        try
        {
            using var document = JsonDocument.Parse(text);
            if (document.RootElement.ValueKind != JsonValueKind.Array)
                throw new InvalidPatchException("patch must be an array of operations (RFC 6902)");
            List<Step> steps = [.. document.RootElement.EnumerateArray().Take(MaxSteps + 1).Select(Step.Read)];
            return steps.Count is >= 1 and <= MaxSteps ? new JsonPatch(steps)
                : throw new InvalidPatchException($"patch must have 1 to {MaxSteps} operations");
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new InvalidPatchException($"patch is not valid JSON: {fault.Message}");
        }
    }

    /// <summary>Applies it to a JSON text.</summary>
    /// <param name="json">The text.</param>
    /// <param name="maxChars">Most characters of the result, which also bounds what copies take in memory.</param>
    /// <exception cref="InvalidPatchException">It does not apply; the message has nothing of the text.</exception>
    public string Apply(string json, int maxChars)
    {
        try
        {
            var document = new PatchedDocument(JsonNode.Parse(json), maxChars);
            for (var i = 0; i < _steps.Count; i++)
                _steps[i].Apply(document, i);
            var text = document.Root?.ToJsonString(Style) ?? "null";
            return text.Length <= maxChars ? text : throw TooLarge(maxChars);
        }
        catch (Exception fault) when (fault is JsonException or ArgumentException or InvalidOperationException)
        {
            // Messages of the parser quote the text.
            throw new InvalidPatchException("the payload is not JSON that can be patched: it is no JSON, too deep, or has a name twice");
        }
    }

    internal static InvalidPatchException TooLarge(int maxChars) =>
        new($"the patched payload would have more than {maxChars} characters");

    /// <summary>An operation of the patch.</summary>
    private sealed record Step(string Op, JsonPointer Path, JsonPointer? From, JsonElement? Value)
    {
        private static readonly string[] Ops = ["add", "remove", "replace", "move", "copy", "test"];

        public static Step Read(JsonElement step, int index)
        {
            if (step.ValueKind != JsonValueKind.Object || !(Text(step, "op") is { } op && Ops.Contains(op)))
                throw new InvalidPatchException($"patch[{index}].op must be {string.Join(", ", Ops)}");
            var path = JsonPointer.Read(Text(step, "path"))
                ?? throw new InvalidPatchException($"patch[{index}].path must be a JSON pointer such as /a/0, or an empty text");
            JsonPointer? from = null;
            JsonElement? value = null;
            if (op is "move" or "copy")
                from = JsonPointer.Read(Text(step, "from"))
                    ?? throw new InvalidPatchException($"patch[{index}].from must be a JSON pointer such as /a/0");
            else if (op is not "remove")
                value = step.TryGetProperty("value", out var given) ? given.Clone()
                    : throw new InvalidPatchException($"patch[{index}].value is missing");
            if (op == "move" && from!.IsAbove(path))
                throw new InvalidPatchException($"patch[{index}] moves a value into itself");
            return new Step(op, path, from, value);
        }

        public void Apply(PatchedDocument document, int index)
        {
            var (done, at) = Op switch
            {
                "add" => (document.TryAdd(Path, NewValue()), Path),
                "replace" => (document.TryReplace(Path, NewValue()), Path),
                "remove" => (document.TryTake(Path, out _), Path),
                "move" => document.TryTake(From!, out var moved) ? (document.TryAdd(Path, moved), Path) : (false, From!),
                "copy" => document.TryCopy(From!, out var copy) ? (document.TryAdd(Path, copy), Path) : (false, From!),
                _ => (document.TryFind(Path, out var found) && (JsonNode.DeepEquals(found, NewValue()) ? true
                    : throw new InvalidPatchException($"patch[{index}]: the test of {Path} fails")), Path),
            };
            if (!done)
                throw new InvalidPatchException($"patch[{index}]: there is no place {at} in the payload");
        }

        private JsonNode? NewValue() => Value!.Value.ValueKind switch
        {
            JsonValueKind.Null => null,
            JsonValueKind.Object => JsonObject.Create(Value.Value)!.DeepClone(),
            JsonValueKind.Array => JsonArray.Create(Value.Value)!.DeepClone(),
            _ => JsonValue.Create(Value.Value),
        };

        private static string? Text(JsonElement step, string name) =>
            step.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }
}

/// <summary>A JSON patch is none, or does not apply; the message says why.</summary>
public sealed class InvalidPatchException(string message) : Exception(message);
