using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.OpenAI.Files;

/// <summary>OpenAI's Files API, for the input and output of batches (bella.md 11).</summary>
internal static class FileEndpoints
{
    private const int MaxPage = 10_000;
    private static readonly string[] HeadOnly = [HttpMethods.Head];

    public static void MapFiles(this WebApplication app)
    {
        var files = app.MapGroup("/v1/files").WithTags("files").AnswerFaults(OpenAIErrors.File).WithMetadata(OpenAIErrors.NoCache)
            .Needs(Scope.Read).ForKeysOnly();
        // The API enforces the limit: the server's own would cut the connection before the client reads the response.
        files.MapPost("", UploadAsync).Needs(Scope.Enqueue).WithMetadata(new DisableRequestSizeLimitAttribute())
            .TakesFile("file", "purpose")
            .Produces<FileObject>().Produces<FileError>(400).Produces<FileError>(401).Produces<FileError>(413).Produces<FileError>(429)
            .WithSummary("Upload a file: multipart/form-data with the parts file and purpose (batch, user_data, assistants, fine-tune, "
                + "vision, evals, …).");
        files.MapGet("", ListAsync).Produces<FileList>().Produces<FileError>(400).Produces<FileError>(401)
            .TakesQuery("purpose", "List only files with this purpose.").TakesWhole("limit", "1 to 10000 (the default).")
            .TakesQuery("order", "desc (the default) or asc, by time.").TakesQuery("after", "List files after this one.")
            .WithSummary("List the caller's files, newest first.");
        files.MapGet("/{id}", GetAsync).Produces<FileObject>().Produces<FileError>(401).Produces<FileError>(404).WithSummary("One file.");
        files.MapGet("/{id}/content", ContentAsync).Produces(200, contentType: "application/octet-stream")
            .Produces(206, contentType: "application/octet-stream")
            .Produces<FileError>(401).Produces<FileError>(404).Produces(416)
            .WithSummary("Download a file, or a range of it.");
        // As GET, whose answer the server sends without its body.
        files.MapMethods("/{id}", HeadOnly, GetAsync).ExcludeFromDescription();
        files.MapMethods("/{id}/content", HeadOnly, ContentAsync).ExcludeFromDescription();
        files.MapDelete("/{id}", DeleteAsync).Audited("file.delete", onlyWhenNoted: true).Needs(Scope.Enqueue).Produces<FileDeleted>()
            .Produces<FileError>(401).Produces<FileError>(404).WithSummary("Delete a file.");
    }

    private static async Task<IResult> UploadAsync(HttpContext context, FileService files, IOptions<FileStoreOptions> options)
    {
        context.DemandTenant();
        return Answer(await new FileUpload(context, files, options.Value.MaxBytes).StoreAsync(), context);
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, FileService files) =>
        Answer(await FindAsync(id, context, files), context);

    private static async Task<IResult> ContentAsync(string id, HttpContext context, FileService files)
    {
        var file = await FindAsync(id, context, files);
        await context.Memory().ReserveAnswerAsync(FileUpload.Cost / 3, 0, context.RequestAborted);
        try
        {
            return Results.Stream(await files.OpenReadAsync(file, context.RequestAborted), "application/octet-stream", file.FileName,
                enableRangeProcessing: true);
        }
        catch (FileNotFoundException)
        {
            throw NotFound(id); // deleted in the meantime
        }
    }

    private static async Task<IResult> ListAsync(HttpContext context, FileService files)
    {
        var (query, access, dialect) = (context.Request.Query, context.Access(), context.DialectOf());
        var limit = MaxPage;
        if (query["limit"].FirstOrDefault() is { } text
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MaxPage))
            throw OpenAIErrors.Invalid($"limit must be 1 to {MaxPage}");
        var order = query["order"].FirstOrDefault() ?? "desc";
        if (order is not ("asc" or "desc"))
            throw OpenAIErrors.Invalid("order must be asc or desc");
        IReadOnlyList<string> purposes = query["purpose"].FirstOrDefault() is { } purpose ? FilePurposes.ParseFilter(purpose, dialect)
            : FilePurposes.Shown;
        FileRecord? after = null;
        if (query["after"].FirstOrDefault() is { } id)
            after = (IsId(id) ? await files.FindAsync(id, access, context.RequestAborted) : null)
                ?? throw OpenAIErrors.Invalid("after must be the id of a file");
        var found = await files.ListAsync(access, purposes, after, limit + 1, newestFirst: order == "desc", context.RequestAborted);
        var page = found.Take(limit).Select(f => FileObject.Of(f, dialect)).ToList();
        return Results.Json(new FileList("list", page, page.FirstOrDefault()?.Id, page.LastOrDefault()?.Id, found.Count > limit),
            FileJson.Of(dialect).FileList);
    }

    private static async Task<IResult> DeleteAsync(string id, HttpContext context, FileService files)
    {
        var file = await FindAsync(id, context, files);
        context.AuditForeign($"file/{id}", file.Owner);
        return await files.DeleteAsync(id, context.Access())
            ? Results.Json(new FileDeleted(id, "file", true), FileJson.Of(context.DialectOf()).FileDeleted)
            : throw NotFound(id);
    }

    private static async Task<FileRecord> FindAsync(string id, HttpContext context, FileService files) =>
        IsId(id) && await files.FindAsync(id, context.Access(), context.RequestAborted) is { } file
            && FilePurposes.Shown.Contains(file.Purpose) ? file : throw NotFound(id);

    /// <summary>Whether the id is well-formed; others, for example with a NUL, never reach the database.</summary>
    internal static bool IsId(string id) => id.Length <= 64 && id.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');

    private static IResult Answer(FileRecord file, HttpContext context)
    {
        var dialect = context.DialectOf();
        return Results.Json(FileObject.Of(file, dialect), FileJson.Of(dialect).FileObject);
    }

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no file {id}");
}
