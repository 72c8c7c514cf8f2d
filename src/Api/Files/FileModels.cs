using System.Text.Json.Serialization;
using TaskQueue.Api.Bella;
using TaskQueue.Api.Http;
using TaskQueue.Engine.Files;

namespace TaskQueue.Api.Files;

/// <summary>A file in Bella's words: milliseconds.</summary>
internal record FileObject(string Id, string Object, long Bytes, long CreatedAt, [property: JsonPropertyName("filename")] string FileName, string Purpose)
{
    /// <summary>A file in the words of a dialect. What a batch wrote has another purpose in each (bella.md 11).</summary>
    public static FileObject Of(FileRecord file, Dialect dialect)
    {
        var at = new DateTimeOffset(file.CreatedAt);
        return dialect == Dialect.OpenAI
            ? new OpenAIFileObject(file.Id, file.Bytes, at.ToUnixTimeSeconds(), file.FileName, file.Purpose)
            : new FileObject(file.Id, "file", file.Bytes, at.ToUnixTimeMilliseconds(), file.FileName, file.Purpose == FilePurposes.BatchOutput ? FilePurposes.Batch : file.Purpose);
    }
}

/// <summary>A file as OpenAI's SDKs read it: seconds, and a status.</summary>
internal sealed record OpenAIFileObject(string Id, long Bytes, long CreatedAt, string FileName, string Purpose)
    : FileObject(Id, "file", Bytes, CreatedAt, FileName, Purpose)
{
    public long? ExpiresAt { get; init; }

    public string Status { get; init; } = "processed";

    public string? StatusDetails { get; init; }
}

/// <summary>GET /v1/files.</summary>
internal sealed record FileList(string Object, IReadOnlyList<FileObject> Data, string? FirstId, string? LastId, bool HasMore);

/// <summary>DELETE /v1/files/{id}.</summary>
internal sealed record FileDeleted(string Id, string Object, bool Deleted);

/// <summary>Every error of this door: OpenAI's shape.</summary>
internal sealed record FileError(BellaErrorDetails Error);

/// <summary>What files may be for.</summary>
internal static class FilePurposes
{
    public const string Batch = "batch", BatchOutput = "batch_output", Other = "temp";

    private static readonly HashSet<string> Known = [Batch, BatchOutput, "user_data", "assistants", "assistants_output", "fine-tune", "fine-tune-results", "vision", "evals"];

    /// <exception cref="DoorException">400: OpenAI knows no such purpose; Bella calls it temp.</exception>
    public static string Parse(string? purpose, Dialect dialect) =>
        purpose is not null && Known.Contains(purpose) ? purpose
        : dialect == Dialect.Bella ? Other
        : throw new DoorException(400, "invalid_request", $"purpose must be one of {string.Join(", ", Known)}");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(FileObject))]
[JsonSerializable(typeof(OpenAIFileObject))]
[JsonSerializable(typeof(FileDeleted))]
[JsonSerializable(typeof(FileError))]
internal sealed partial class FileJson : JsonSerializerContext;
