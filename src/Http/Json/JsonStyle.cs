using System.Text.Encodings.Web;
using System.Text.Json;

namespace TaskQueue.Http.Json;

/// <summary>JSON of the native routes.</summary>
internal static class JsonStyle
{
    /// <summary>snake_case; quotes inside strings as \" and letters as they are: the bodies are never put into HTML.</summary>
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
