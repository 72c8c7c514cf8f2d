using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using TaskQueue.Engine;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>Explains why JSON is not a valid request: a member of the wrong type, or one that the request does not have.</summary>
internal static partial class WrongShape
{
    /// <param name="fault">The exception of the deserializer.</param>
    /// <param name="path">Path of the member in the body.</param>
    /// <param name="type">The type that was read.</param>
    public static ApiException Of(JsonException fault, string path, JsonTypeInfo type)
    {
        if (Unmapped().Match(fault.Message) is not { Success: true } match)
            return new ApiException(400, "invalid_request", $"{path} has the wrong type or form");
        var name = match.Groups["name"].Value;
        var at = path.EndsWith($".{name}", StringComparison.Ordinal) || path.EndsWith($"['{name}']", StringComparison.Ordinal) ? path
            : $"{path}.{name}";
        return new ApiException(400, "invalid_request",
            $"{at} is not a member of this request{Nearest.Hint(name, MembersOf(type, match.Groups["type"].Value))}");
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

    [GeneratedRegex("^The JSON property '(?<name>.*)' could not be mapped to any .NET member contained in type '(?<type>[^']+)'",
        RegexOptions.ExplicitCapture | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Unmapped();
}
