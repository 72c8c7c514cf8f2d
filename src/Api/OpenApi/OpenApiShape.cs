using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.OpenApi;

/// <summary>What generators of clients need: names of operations, and which members of a request may be omitted.</summary>
internal static class OpenApiShape
{
    /// <summary>Names an operation by its method and path, such as <c>getTask</c>, <c>listQueues</c> and <c>pauseQueue</c>.</summary>
    public static Task NameAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken)
    {
        operation.OperationId ??= NameOf(context.Description.HttpMethod ?? "", context.Description.RelativePath ?? "");
        return Task.CompletedTask;
    }

    /// <summary>Members of a request that may be null may be omitted. In answers all members are always present.</summary>
    public static Task RelaxAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        if (!IsOfRequest(context.JsonTypeInfo.Type))
            return Task.CompletedTask;
        foreach (var member in context.JsonTypeInfo.Properties)
        {
            if (member.IsGetNullable || Nullable.GetUnderlyingType(member.PropertyType) is not null)
                schema.Required?.Remove(member.Name);
        }

        return Task.CompletedTask;
    }

    /// <summary>The component of a type; null for any JSON, of which generators would make a class.</summary>
    public static string? ComponentOf(JsonTypeInfo type)
    {
        var plain = Nullable.GetUnderlyingType(type.Type) ?? type.Type;
        return plain == typeof(RawJson) || plain == typeof(JsonElement) ? null : OpenApiOptions.CreateDefaultSchemaReferenceId(type);
    }

    internal static string NameOf(string method, string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var last = parts.Length > 0 ? parts[^1] : "";
        var isCall = last is [>= 'A' and <= 'Z', ..]; // its name has a verb
        var isVerb = method == "POST" && parts.Length > 1 && IsParameter(parts[^2]) && !IsParameter(last) && !IsMany(last);
        var isCreation = method == "POST" && !isCall && IsMany(last);
        var name = new StringBuilder(isCall ? "" : isVerb ? last : isCreation ? "create" : method == "GET" && IsMany(last) ? "list"
            : method.ToLowerInvariant());
        for (var i = 0; i < parts.Length - (isVerb ? 1 : 0); i++)
        {
            if (IsParameter(parts[i]))
                continue;
            var isOne = i + 1 < parts.Length ? IsParameter(parts[i + 1]) : isCreation;
            foreach (var piece in (isOne ? Singular(parts[i]) : parts[i]).Split('-', '_', '.'))
                name.Append(char.ToUpperInvariant(piece[0])).Append(piece.AsSpan(1));
        }

        return JsonNamingPolicy.CamelCase.ConvertName(name.ToString());
    }

    private static bool IsOfRequest(Type type) =>
        type.Name.EndsWith("Body", StringComparison.Ordinal) || type.IsDefined(typeof(JsonUnmappedMemberHandlingAttribute), inherit: false);

    private static bool IsParameter(string part) => part.StartsWith('{');

    private static bool IsMany(string part) =>
        part.EndsWith('s') && !part.EndsWith("ss", StringComparison.Ordinal) && !part.EndsWith("us", StringComparison.Ordinal)
        && part is not ("stats" or "statistics");

    private static string Singular(string word) =>
        word.EndsWith("ches", StringComparison.Ordinal) ? word[..^2]
        : word.EndsWith('s') && !word.EndsWith("ss", StringComparison.Ordinal) && !word.EndsWith("status", StringComparison.Ordinal)
            ? word[..^1] : word;
}
