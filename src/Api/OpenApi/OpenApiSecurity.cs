using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.OpenApi;

/// <summary>Describes authentication in the OpenAPI document.</summary>
internal static class OpenApiSecurity
{
    private const string Scheme = "bearer";

    /// <summary>Adds the security scheme.</summary>
    public static void Describe(OpenApiDocument document)
    {
        var schemes = (document.Components ??= new OpenApiComponents())
            .SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
        schemes[Scheme] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = Scheme,
            Description = "An API key or a JSON web token; none if the server has no keys, in which case it listens on loopback only.",
        };
    }

    /// <summary>Adds the scope of an operation and its 401 and 403 responses.</summary>
    public static Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken)
    {
        if (context.Description.ActionDescriptor.EndpointMetadata.OfType<NeededScope>().LastOrDefault() is not { } needed)
            return Task.CompletedTask;
        var word = Scopes.Word(needed.Scope);
        operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, context.Document)] = [word] }];
        (operation.Extensions ??= new Dictionary<string, IOpenApiExtension>())["x-scope"] = new JsonNodeExtension(JsonValue.Create(word));
        operation.Responses ??= [];
        Add(operation.Responses, "401", "No valid key or token.");
        Add(operation.Responses, "403", $"The key or token lacks the scope {word}, or is not for this queue.");
        return Task.CompletedTask;
    }

    private static void Add(OpenApiResponses responses, string status, string description) =>
        responses.TryAdd(status, new OpenApiResponse { Description = description });
}
