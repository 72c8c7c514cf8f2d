using System.Text.Encodings.Web;
using System.Text.Json;

namespace TaskQueue.Http.Json;

/// <summary>JSON of the native routes.</summary>
internal static class JsonStyle
{
    /// <summary>
    /// snake_case; quotes are escaped as \" and letters are not escaped, because bodies are never embedded in HTML. A member that is given
    /// twice is refused, because one of both would silently have no effect; in data and results it passes.
    /// </summary>
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        AllowDuplicateProperties = false,
        Converters = { new AnyJsonConverter() },
    };
}
