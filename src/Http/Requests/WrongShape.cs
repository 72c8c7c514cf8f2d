using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using TaskQueue.Engine;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>Explains why JSON is not a valid request: a member of the wrong type, or one that the request does not have.</summary>
internal static partial class WrongShape
{
    private const int MaxName = 64, MaxPath = 200;

    /// <summary>A name in a message. It is the caller's, and may be as long as the body.</summary>
    public static string Shown(string name) => Cut(name, MaxName);

    /// <summary>Whether the JSON is valid, but has a member twice.</summary>
    public static bool IsTwice(JsonException fault) => fault.Message.StartsWith("Duplicate propert", StringComparison.Ordinal);

    /// <param name="fault">The exception of the deserializer.</param>
    /// <param name="path">Path of the member in the body.</param>
    /// <param name="type">The type that was read.</param>
    public static ApiException Of(JsonException fault, string path, JsonTypeInfo type)
    {
        if (IsTwice(fault))
        {
            var twice = Twice().Match(fault.Message);
            return new ApiException(400, "invalid_request",
                $"{(twice.Success ? Shown(twice.Groups["name"].Value) : "a member")} is given twice");
        }

        if (Unmapped().Match(fault.Message) is not { Success: true } match)
            return new ApiException(400, "invalid_request", $"{Cut(path, MaxPath)} has the wrong type or form");
        var name = match.Groups["name"].Value;
        var at = path.EndsWith($".{name}", StringComparison.Ordinal) || path.EndsWith($"['{name}']", StringComparison.Ordinal) ? path
            : $"{path}.{name}";
        return new ApiException(400, "invalid_request",
            $"{Cut(at, MaxPath)} is not a member of this request{Nearest.Hint(name, MembersOf(type, match.Groups["type"].Value))}");
    }

    /// <summary>The members of a type of a request, wherever in the request it is.</summary>
    private static IEnumerable<string> MembersOf(JsonTypeInfo request, string name)
    {
        var (seen, next) = (new HashSet<Type>(), new Queue<JsonTypeInfo>([request]));
        while (next.TryDequeue(out var info))
        {
            if (!seen.Add(info.Type))
                continue;
            if (info.Type.ToString() == name)
                return info.Properties.Select(p => p.Name);
            foreach (var type in info.Properties.Select(p => p.PropertyType).Append(info.ElementType).OfType<Type>())
            {
                if (info.Options.TryGetTypeInfo(Nullable.GetUnderlyingType(type) ?? type, out var below))
                    next.Enqueue(below);
            }
        }

        return [];
    }

    private static string Cut(string text, int max) => text.Length <= max ? text : $"{TextRules.Cut(text, max)}…";

    [GeneratedRegex("^Duplicate property '(?<name>.*?)'", RegexOptions.ExplicitCapture | RegexOptions.Singleline,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex Twice();

    [GeneratedRegex("^The JSON property '(?<name>.*)' could not be mapped to any .NET member contained in type '(?<type>[^']+)'",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Unmapped();
}
