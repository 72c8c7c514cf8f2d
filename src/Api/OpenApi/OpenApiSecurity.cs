using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.OpenApi;

/// <summary>Who may call, in the OpenAPI document.</summary>
internal static class OpenApiSecurity
{
    private const string Scheme = "bearer";

    /// <summary>The scheme: a key or a token.</summary>
    public static void Describe(OpenApiDocument document)
    {
        var schemes = (document.Components ??= new OpenApiComponents())
            .SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
        schemes[Scheme] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = Scheme,
            Description = "An API key or a JSON web token; none where the server has no keys, and then listens on loopback only.",
        };
    }

    /// <summary>The scope of an operation, and what it answers without it.</summary>
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
