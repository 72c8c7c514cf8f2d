using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Batches;

/// <summary>One thing that is wrong with an input.</summary>
/// <param name="Code">A stable word.</param>
/// <param name="Message">For people.</param>
/// <param name="Param">The member of the line that is wrong, or null.</param>
/// <param name="Line">Number of the line, from 1; null is the whole file.</param>
public sealed record BatchInputError(string Code, string Message, string? Param, int? Line);

/// <summary>What batches keep as JSON.</summary>
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(IReadOnlyList<BatchInputError>))]
public sealed partial class BatchJson : JsonSerializerContext
{
    /// <summary>The context with these options: snake_case, and letters as they are.</summary>
    public static BatchJson Instance { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
