using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Batches;

/// <summary>An error in an input.</summary>
/// <param name="Code">Stable error code.</param>
/// <param name="Message">Text for humans.</param>
/// <param name="Param">The invalid member of the line, or null.</param>
/// <param name="Line">Line number from 1; null concerns the whole file.</param>
public sealed record BatchInputError(string Code, string Message, string? Param, int? Line);

/// <summary>Types that batches store as JSON.</summary>
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(IReadOnlyList<BatchInputError>))]
[JsonSerializable(typeof(BatchUsage))]
public sealed partial class BatchJson : JsonSerializerContext
{
    /// <summary>The context with snake_case names and unescaped letters.</summary>
    public static BatchJson Instance { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
