using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace TaskQueue.Http.Answers;

/// <summary>OpenAPI metadata for handlers that read the request themselves.</summary>
internal static class OpenApiDetails
{
    /// <summary>Declares the body's type. Unlike Accepts it requires no content type: the document says JSON where none is named.</summary>
    public static RouteHandlerBuilder TakesJson<T>(this RouteHandlerBuilder route) =>
        route.WithMetadata(new AcceptsMetadata([], typeof(T)));

    /// <summary>Declares a query parameter that is a text.</summary>
    /// <param name="route">The route.</param>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it means.</param>
    /// <param name="values">Its values; none: any text.</param>
    public static RouteHandlerBuilder TakesQuery(this RouteHandlerBuilder route, string name, string description,
        params string[] values) =>
        route.TakesQuery(name, description, () => new OpenApiSchema
        {
            Type = JsonSchemaType.String,
            Enum = values.Length == 0 ? null : [.. values.Select(v => (JsonNode)JsonValue.Create(v)!)],
        });

    /// <summary>Declares a query parameter that may be repeated.</summary>
    public static RouteHandlerBuilder TakesTexts(this RouteHandlerBuilder route, string name, string description) =>
        route.TakesQuery(name, description, () => new OpenApiSchema
        {
            Type = JsonSchemaType.Array,
            Items = new OpenApiSchema { Type = JsonSchemaType.String },
        });

    /// <summary>Declares a query parameter that is a whole number.</summary>
    public static RouteHandlerBuilder TakesWhole(this RouteHandlerBuilder route, string name, string description) =>
        route.TakesQuery(name, description, () => new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int32" });

    /// <summary>Declares a query parameter that is a number.</summary>
    public static RouteHandlerBuilder TakesNumber(this RouteHandlerBuilder route, string name, string description) =>
        route.TakesQuery(name, description, () => new OpenApiSchema { Type = JsonSchemaType.Number, Format = "double" });

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

    /// <summary>Adds a type that no route declares to the components.</summary>
    /// <param name="context">Context of the operation.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <param name="parts">Its members that are components too, or lists of them.</param>
    /// <returns>The reference to it.</returns>
    public static async Task<OpenApiSchemaReference> ComponentAsync<T>(this OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken, params (string Member, OpenApiSchemaReference Type)[] parts)
    {
        var schema = await context.GetOrCreateSchemaAsync(typeof(T), cancellationToken: cancellationToken);
        foreach (var (member, type) in parts)
        {
            if (schema.Properties![member] is OpenApiSchema { Items: not null } list)
                list.Items = type;
            else
                schema.Properties[member] = type;
        }

        context.Document!.AddComponent(typeof(T).Name, schema);
        return new OpenApiSchemaReference(typeof(T).Name, context.Document);
    }

    private static RouteHandlerBuilder TakesQuery(this RouteHandlerBuilder route, string name, string description,
        Func<OpenApiSchema> schema) =>
        route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = name,
                In = ParameterLocation.Query,
                Description = description,
                Schema = schema(),
            });
            return Task.CompletedTask;
        });
}
