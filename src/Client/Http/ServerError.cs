using System.Text.Json.Serialization;

namespace TaskQueue.Client.Http;

/// <summary>Error body of any route: problem details, or <c>{"error"}</c> from POST and GET /tasks.</summary>
/// <param name="Detail">Problem details member.</param>
/// <param name="Title">Problem details member.</param>
/// <param name="Code">Stable error code.</param>
/// <param name="Error">Error text of POST and GET /tasks.</param>
internal sealed record ServerError(string? Detail, string? Title, string? Code, string? Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ServerError))]
internal sealed partial class ServerErrorJson : JsonSerializerContext;
