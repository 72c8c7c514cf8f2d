using System.Text;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace TaskQueue.Api.OpenApi;

/// <summary>What generators of clients need: names of operations, and which members of a request may be omitted.</summary>
internal static class OpenApiShape
{
    /// <summary>Names an operation by its method and path, such as <c>getTask</c>, <c>listQueues</c> and <c>postQueuePause</c>.</summary>
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

    internal static string NameOf(string method, string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var isOne = parts.Length > 0 && IsParameter(parts[^1]);
        var isMany = parts.Length > 0 && !isOne && parts[^1].EndsWith('s') && parts[^1] != "statistics";
        var name = new StringBuilder(method switch
        {
            "GET" when isMany => "list",
            _ => method.ToLowerInvariant(),
        });
        for (var i = 0; i < parts.Length; i++)
        {
            if (IsParameter(parts[i]))
                continue;
            var word = i + 1 < parts.Length && IsParameter(parts[i + 1]) ? Singular(parts[i]) : parts[i];
            foreach (var piece in word.Split('-', '_', '.'))
                name.Append(char.ToUpperInvariant(piece[0])).Append(piece.AsSpan(1));
        }

        return name.ToString();
    }

    private static bool IsOfRequest(Type type) =>
        type.Name.EndsWith("Body", StringComparison.Ordinal) || type.IsDefined(typeof(JsonUnmappedMemberHandlingAttribute), inherit: false);

    private static bool IsParameter(string part) => part[0] == '{';

    private static string Singular(string word) =>
        word.EndsWith("ches", StringComparison.Ordinal) ? word[..^2]
        : word.EndsWith('s') && !word.EndsWith("ss", StringComparison.Ordinal) && !word.EndsWith("status", StringComparison.Ordinal)
            ? word[..^1] : word;
}
