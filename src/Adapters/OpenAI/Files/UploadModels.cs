using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Files;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI.Files;

/// <summary>POST /v1/uploads.</summary>
/// <param name="Filename">Name of the file.</param>
/// <param name="Purpose">Its purpose.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="MimeType">Accepted and not used.</param>
/// <param name="ExpiresAfter">When the file expires.</param>
public sealed record UploadBody(string? Filename, string? Purpose, long? Bytes, string? MimeType, ExpiresAfterBody? ExpiresAfter);

/// <summary>POST /v1/uploads/{id}/complete.</summary>
/// <param name="PartIds">The parts, in the order of their bytes.</param>
/// <param name="Md5">MD5 of the whole, in hexadecimal, to be compared; optional.</param>
public sealed record UploadCompleteBody(IReadOnlyList<string?>? PartIds, string? Md5);

/// <summary>An upload in parts.</summary>
/// <param name="Id"><c>upload_…</c>.</param>
/// <param name="Object"><c>upload</c>.</param>
/// <param name="Bytes">Length of the whole.</param>
/// <param name="CreatedAt">Unix seconds.</param>
/// <param name="Filename">Name of the file.</param>
/// <param name="Purpose">Its purpose.</param>
/// <param name="Status">pending, completed or cancelled.</param>
/// <param name="ExpiresAt">Unix seconds: until then it must be completed.</param>
/// <param name="File">The file; null until the upload is completed.</param>
public sealed record UploadObject(string Id, string Object, long Bytes, long CreatedAt, string Filename, string Purpose, string Status,
    long ExpiresAt, FileObject? File);

/// <summary>A part of an upload.</summary>
public sealed record UploadPartObject(string Id, string Object, long CreatedAt, string UploadId);

/// <summary>What is remembered of an upload until it is completed: the content of a small file.</summary>
internal sealed record UploadPlan(string Filename, string Purpose, long Bytes, int? KeepSeconds);

[JsonSerializable(typeof(UploadBody))]
[JsonSerializable(typeof(UploadCompleteBody))]
[JsonSerializable(typeof(UploadObject))]
[JsonSerializable(typeof(UploadPartObject))]
[JsonSerializable(typeof(UploadPlan))]
internal sealed partial class UploadJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static UploadJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Ids and objects of uploads in parts.</summary>
internal static class Uploads
{
    private const string Prefix = "upload_", PartPrefix = "part_";

    /// <summary>Time in which an upload must be completed.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    public static string IdOf(FileRecord upload) => Prefix + upload.Id;

    public static string PartIdOf(FileRecord part) => PartPrefix + part.Id;

    /// <summary>The id of the file that holds an upload or a part; null if the text is none.</summary>
    public static string? FileIdOf(string? id, bool isPart)
    {
        var prefix = isPart ? PartPrefix : Prefix;
        return id is not null && id.StartsWith(prefix, StringComparison.Ordinal)
            && id[prefix.Length..] is var rest && FileEndpoints.IsId(rest) ? rest : null;
    }

    public static UploadObject ToObject(FileRecord upload, UploadPlan plan, string status, FileRecord? file) =>
        new(IdOf(upload), "upload", plan.Bytes, Seconds(upload.CreatedAt), plan.Filename, plan.Purpose, status,
            Seconds(upload.ExpiresAt ?? upload.CreatedAt + Lifetime), file is null ? null : FileObject.Of(file, Dialect.OpenAI));

    public static long Seconds(DateTime time) => new DateTimeOffset(time).ToUnixTimeSeconds();
}
