using System.Text.Json.Serialization;

namespace TaskQueue.Client.Http;

/// <summary>An error body of any route: problem details, or the <c>{"error"}</c> of POST and GET /tasks.</summary>
/// <param name="Detail">Of problem details.</param>
/// <param name="Title">Of problem details.</param>
/// <param name="Code">The stable word.</param>
/// <param name="Error">Of the tutorial's routes.</param>
internal sealed record ServerError(string? Detail, string? Title, string? Code, string? Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ServerError))]
internal sealed partial class ServerErrorJson : JsonSerializerContext;
