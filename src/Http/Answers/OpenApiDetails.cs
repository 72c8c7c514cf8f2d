using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace TaskQueue.Http.Answers;

/// <summary>OpenAPI metadata for handlers that read the request themselves.</summary>
internal static class OpenApiDetails
{
    /// <summary>Declares the body's type. Unlike Accepts it requires no content type.</summary>
    public static RouteHandlerBuilder TakesJson<T>(this RouteHandlerBuilder route) =>
        route.AddOpenApiOperationTransformer(async (operation, context, cancellationToken) => operation.RequestBody = new OpenApiRequestBody
        {
            Required = true,
            Content = new Dictionary<string, OpenApiMediaType>
            {
                ["application/json"] = new() { Schema = await context.GetOrCreateSchemaAsync(typeof(T),
                    cancellationToken: cancellationToken) },
            },
        });

    /// <summary>Declares a query parameter.</summary>
    /// <param name="route">The route.</param>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it means.</param>
    /// <param name="values">Its values; none: any text.</param>
    public static RouteHandlerBuilder TakesQuery(this RouteHandlerBuilder route, string name, string description,
        params string[] values) =>
        route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = name,
                In = ParameterLocation.Query,
                Description = description,
                Schema = new OpenApiSchema
                {
                    Type = JsonSchemaType.String,
                    Enum = values.Length == 0 ? null : [.. values.Select(v => (JsonNode)JsonValue.Create(v)!)],
                },
            });
            return Task.CompletedTask;
        });

    /// <summary>Declares a multipart form with a file and a text field.</summary>
    public static RouteHandlerBuilder TakesFile(this RouteHandlerBuilder route, string file, string text) =>
        route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            var properties = new Dictionary<string, IOpenApiSchema>
            {
                [file] = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" },
                [text] = new OpenApiSchema { Type = JsonSchemaType.String },
            };
            operation.RequestBody = new OpenApiRequestBody
            {
                Required = true,
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    ["multipart/form-data"] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.Object, Properties = properties,
                        Required = new HashSet<string> { file } } },
                },
            };
            return Task.CompletedTask;
        });
}
