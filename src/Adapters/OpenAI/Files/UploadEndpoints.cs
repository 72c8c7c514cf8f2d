using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.OpenAI.Files;

/// <summary>
/// OpenAI's Uploads API: a large file in parts, each of which can be sent again. An upload and its parts are files that nobody sees and
/// that expire after an hour.
/// </summary>
internal static class UploadEndpoints
{
    private const int MaxParts = 10_000, MaxName = 1024, Buffer = 64 * 1024;
    private const long MaxPart = 64L * 1024 * 1024, MaxBody = 1024 * 1024;

    public static void MapUploads(this WebApplication app)
    {
        var uploads = app.MapGroup("/v1/uploads").WithTags("files")
            .AnswerFaults(OpenAIErrors.Batch(app.Services.GetRequiredService<TimeProvider>())).WithMetadata(OpenAIErrors.NoCache)
            .Needs(Scope.Enqueue).ForKeysOnly();
        uploads.MapPost("", BeginAsync).TakesJson<UploadBody>().Produces<UploadObject>().Produces<BatchError>(400)
            .WithSummary("Begin an upload in parts: {\"filename\", \"purpose\", \"bytes\"}.");
        // The API enforces the limit: the server's own would cut the connection before the client reads the response.
        uploads.MapPost("/{id}/parts", AddAsync).WithMetadata(new DisableRequestSizeLimitAttribute()).Produces<UploadPartObject>()
            .Produces<BatchError>(400).Produces<BatchError>(404).Produces<BatchError>(413)
            .WithSummary("Add a part: multipart/form-data with the part data, at most 64 MiB.");
        uploads.MapPost("/{id}/complete", CompleteAsync).TakesJson<UploadCompleteBody>().Produces<UploadObject>()
            .Produces<BatchError>(400).Produces<BatchError>(404).WithSummary("Make the file of the parts, in the order of part_ids.");
        uploads.MapPost("/{id}/cancel", CancelAsync).Produces<UploadObject>().Produces<BatchError>(404)
            .WithSummary("Cancel an upload; its parts are deleted when they expire.");
    }

    private static async Task<IResult> BeginAsync(HttpContext context, FileService files, IOptions<FileStoreOptions> options)
    {
        context.DemandTenant();
        var body = await RequestJson.ReadAsync(context, UploadJson.Instance.UploadBody, MaxBody);
        if (body.Filename is not { Length: > 0 and <= MaxName } name || name.Contains('\0', StringComparison.Ordinal))
            throw OpenAIErrors.Invalid($"filename must have 1 to {MaxName} characters", "filename");
        if (body.Bytes is not { } bytes || bytes < 0 || bytes > options.Value.MaxBytes)
            throw OpenAIErrors.Invalid($"bytes must be 0 to {options.Value.MaxBytes}", "bytes");
        var plan = new UploadPlan(name, FilePurposes.Parse(body.Purpose, Dialect.OpenAI), bytes, body.ExpiresAfter?.Read("expires_after"));
        var requestKey = context.IdempotencyKey();
        if (requestKey is not null && await files.FindByRequestAsync(requestKey, context.RequestAborted) is { } known)
            return Answer(Uploads.ToObject(known, await ReadAsync(known, files, context.RequestAborted), "pending", null));
        await files.DemandRoomAsync(context.Access().Tenant, bytes);
        await using var writer = await files.OpenUploadAsync(context.Access().Tenant, FilePurposes.Upload, name, MaxBody);
        await writer.Stream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(plan, UploadJson.Instance.UploadPlan), context.RequestAborted);
        var upload = await writer.CommitAsync(keep: Uploads.Lifetime, requestKey: requestKey);
        return Answer(Uploads.ToObject(upload, plan, "pending", null));
    }

    private static async Task<IResult> AddAsync(string id, HttpContext context, FileService files)
    {
        var (upload, _) = await FindAsync(id, context, files);
        var part = await new FileUpload(context, files, MaxPart)
        {
            Part = new UploadPart(FilePurposes.Part, upload.Id, Uploads.Lifetime),
        }.StoreAsync();
        return Results.Json(new UploadPartObject(Uploads.PartIdOf(part), "upload.part", Uploads.Seconds(part.CreatedAt), id),
            UploadJson.Instance.UploadPartObject);
    }

    private static async Task<IResult> CompleteAsync(string id, HttpContext context, FileService files)
    {
        var body = await RequestJson.ReadAsync(context, UploadJson.Instance.UploadCompleteBody, MaxBody);
        var (upload, plan) = await FindAsync(id, context, files);
        // Found by it if the answer is lost and the request is sent again.
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"upload\n{upload.Owner}\n{upload.Id}")));
        if (await files.FindByRequestAsync(key, context.RequestAborted) is { } done)
            return Answer(Uploads.ToObject(upload, plan, "completed", done));
        var parts = await PartsAsync(upload, body.PartIds, context, files);
        if (parts.Sum(p => p.Bytes) is var sum && sum != plan.Bytes)
            throw OpenAIErrors.Invalid($"the parts have {sum} bytes, and the upload was to have {plan.Bytes}", "part_ids");
        var file = await JoinAsync(upload, plan, parts, body.Md5, key, context, files);
        foreach (var part in parts)
            await files.DeleteAsync(part.Id, context.Access());
        return Answer(Uploads.ToObject(upload, plan, "completed", file));
    }

    private static async Task<IResult> CancelAsync(string id, HttpContext context, FileService files)
    {
        var (upload, plan) = await FindAsync(id, context, files);
        await files.DeleteAsync(upload.Id, context.Access());
        return Answer(Uploads.ToObject(upload, plan, "cancelled", null));
    }

    private static async Task<List<FileRecord>> PartsAsync(FileRecord upload, IReadOnlyList<string?>? ids, HttpContext context,
        FileService files)
    {
        if (ids is not { Count: <= MaxParts })
            throw OpenAIErrors.Invalid($"part_ids must be the ids of at most {MaxParts} parts", "part_ids");
        var parts = new List<FileRecord>();
        foreach (var id in ids)
        {
            var file = Uploads.FileIdOf(id, isPart: true);
            var part = file is null ? null : await files.FindAsync(file, context.Access(), context.RequestAborted);
            if (part is null || part.Purpose != FilePurposes.Part || part.FileName != upload.Id)
                throw OpenAIErrors.Invalid($"there is no part {id} of this upload", "part_ids");
            parts.Add(part);
        }

        return parts;
    }

    private static async Task<FileRecord> JoinAsync(FileRecord upload, UploadPlan plan, List<FileRecord> parts, string? md5, string key,
        HttpContext context, FileService files)
    {
        await context.Memory().ReserveAnswerAsync((FileUpload.Cost + files.WriteMemory(plan.Bytes)) / 3, 0, context.RequestAborted);
#pragma warning disable CA5351 // the client's checksum, not a protection
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
#pragma warning restore CA5351
        await using var writer = await files.OpenUploadAsync(upload.Owner, plan.Purpose, plan.Filename, plan.Bytes);
        var buffer = new byte[Buffer];
        foreach (var part in parts)
        {
            await using var content = await files.OpenReadAsync(part, context.RequestAborted);
            while (await content.ReadAsync(buffer, context.RequestAborted) is > 0 and var read)
            {
                hash.AppendData(buffer, 0, read);
                await writer.Stream.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
            }
        }

        if (md5 is not null && !Convert.ToHexString(hash.GetHashAndReset()).Equals(md5, StringComparison.OrdinalIgnoreCase))
            throw OpenAIErrors.Invalid("the parts have another MD5 than md5", "md5");
        return await writer.CommitAsync(keep: plan.KeepSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null, requestKey: key);
    }

    private static async Task<(FileRecord Upload, UploadPlan Plan)> FindAsync(string id, HttpContext context, FileService files)
    {
        if (Uploads.FileIdOf(id, isPart: false) is not { } file
            || await files.FindAsync(file, context.Access(), context.RequestAborted) is not { Purpose: FilePurposes.Upload } upload)
            throw new ApiException(404, "not_found", $"there is no upload {id}, or its hour is over");
        return (upload, await ReadAsync(upload, files, context.RequestAborted));
    }

    private static async Task<UploadPlan> ReadAsync(FileRecord upload, FileService files, CancellationToken cancellationToken)
    {
        await using var content = await files.OpenReadAsync(upload, cancellationToken);
        return (await JsonSerializer.DeserializeAsync(content, UploadJson.Instance.UploadPlan, cancellationToken))!;
    }

    private static IResult Answer(UploadObject upload) => Results.Json(upload, UploadJson.Instance.UploadObject);
}
