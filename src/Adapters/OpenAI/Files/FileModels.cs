using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Files;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI.Files;

/// <summary>
/// A file. OpenAI's dialect has seconds and a status, which is always <c>processed</c>; Bella's has milliseconds. Files without an
/// expiry stay until they are deleted.
/// </summary>
public sealed record FileObject(
    string Id, string Object, long Bytes, long CreatedAt, long? ExpiresAt, [property: JsonPropertyName("filename")] string FileName,
    string Purpose, string? Status, string? StatusDetails)
{
    /// <summary>Maps a file to a dialect. Files written by a batch have a different purpose in each (bella.md 11).</summary>
    internal static FileObject Of(FileRecord file, Dialect dialect)
    {
        var isOpenAI = dialect == Dialect.OpenAI;
        return new FileObject(
            file.Id, "file", file.Bytes, At(file.CreatedAt), file.ExpiresAt is { } end ? At(end) : null, file.FileName,
            FilePurposes.Show(file.Purpose, dialect), isOpenAI ? "processed" : null, StatusDetails: null);

        long At(DateTime time) =>
            isOpenAI ? new DateTimeOffset(time).ToUnixTimeSeconds() : new DateTimeOffset(time).ToUnixTimeMilliseconds();
    }
}

/// <summary>GET /v1/files.</summary>
public sealed record FileList(string Object, IReadOnlyList<FileObject> Data, string? FirstId, string? LastId, bool HasMore);

/// <summary>DELETE /v1/files/{id}.</summary>
public sealed record FileDeleted(string Id, string Object, bool Deleted);

/// <summary>Purposes of files.</summary>
internal static class FilePurposes
{
    private const string Batch = "batch", BatchOutput = "batch_output", Other = "temp";

    private static readonly HashSet<string> Known = [Batch, BatchOutput, "user_data", "assistants", "assistants_output", "fine-tune",
        "fine-tune-results", "vision", "evals"];

    /// <summary>Purposes of what is not complete: an upload in parts, and its parts. No caller sees them as files.</summary>
    public const string Upload = "upload", Part = "upload_part";

    /// <summary>All purposes that callers see.</summary>
    public static IReadOnlyList<string> Shown { get; } = [.. Known, Other];

    /// <summary>Parses the purpose of an upload.</summary>
    /// <exception cref="ApiException">400: unknown purpose in OpenAI's dialect; in Bella's it becomes temp.</exception>
    public static string Parse(string? purpose, Dialect dialect) =>
        purpose is not null && Known.Contains(purpose) ? purpose
        : dialect == Dialect.Bella ? Other
        : throw new ApiException(400, "invalid_request", $"purpose must be one of {string.Join(", ", Known)}");

    /// <summary>Stored purposes matched by a list filter.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static string[] ParseFilter(string purpose, Dialect dialect) =>
        Parse(purpose, dialect) is var known && known == Batch && dialect == Dialect.Bella ? [Batch, BatchOutput] : [known];

    public static string Show(string purpose, Dialect dialect) => purpose == BatchOutput && dialect == Dialect.Bella ? Batch : purpose;
}

[JsonSerializable(typeof(FileObject))]
[JsonSerializable(typeof(FileList))]
[JsonSerializable(typeof(FileDeleted))]
internal sealed partial class FileJson : JsonSerializerContext
{
    private static readonly FileJson Full = new(new JsonSerializerOptions(JsonStyle.Options));
    private static readonly FileJson Short =
        new(new JsonSerializerOptions(JsonStyle.Options) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull });

    /// <summary>The context with a dialect's options: Bella omits nulls.</summary>
    public static FileJson Of(Dialect dialect) => dialect == Dialect.OpenAI ? Full : Short;
}
