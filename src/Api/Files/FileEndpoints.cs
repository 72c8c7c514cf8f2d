using System.Globalization;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Auth;
using TaskQueue.Api.Bella;
using TaskQueue.Api.Http;
using TaskQueue.Engine.Files;

namespace TaskQueue.Api.Files;

/// <summary>The files of OpenAI's API, as batches read and write them (bella.md 11).</summary>
internal static class FileEndpoints
{
    private const int MaxPage = 10_000;

    public static void MapFiles(this WebApplication app)
    {
        var files = app.MapGroup("/v1/files").WithTags("openai").AnswerFaults(Error).AddEndpointFilter(BellaEndpoints.NoCacheAsync).DemandKey();
        files.MapPost("", UploadAsync).Produces<FileObject>().Produces<FileError>(400).Produces<FileError>(413)
            .WithSummary("Upload a file: multipart/form-data with the parts file and purpose.");
        files.MapGet("", ListAsync).Produces<FileList>().Produces<FileError>(400)
            .WithSummary("Files, the newest first: purpose, limit (1 to 10000), order (asc or desc), after (a file id).")
            .TakesQuery("purpose", "Only of this purpose.").TakesQuery("limit", "1 to 10000, the default.").TakesQuery("order", "asc or desc, the default.").TakesQuery("after", "Files behind this one.");
        files.MapGet("/{id}", GetAsync).Produces<FileObject>().Produces<FileError>(404).WithSummary("One file.");
        files.MapGet("/{id}/content", ContentAsync).Produces(200, contentType: "application/octet-stream").Produces<FileError>(404)
            .WithSummary("The content of a file; ranges may be asked for.");
        files.MapDelete("/{id}", DeleteAsync).Produces<FileDeleted>().Produces<FileError>(404).WithSummary("Delete a file.");
    }

    private static IResult Error(DoorFault fault) => Results.Json(
        new FileError(new BellaErrorDetails(fault.Message, fault.Status < 500 ? "invalid_request_error" : "internal_server_error")), FileJson.Default.FileError, statusCode: fault.Status);

    private static async Task<IResult> UploadAsync(HttpContext context, FileVerbs files, IOptions<FileStoreOptions> options) =>
        Answer(await new FileUpload(files, options.Value).ReadAsync(context), context);

    private static async Task<IResult> GetAsync(string id, HttpContext context, FileVerbs files) => Answer(await FindAsync(id, context, files), context);

    private static async Task<IResult> ContentAsync(string id, HttpContext context, FileVerbs files)
    {
        var file = await FindAsync(id, context, files);
        return Results.Stream(files.OpenRead(file), "application/octet-stream", file.FileName, enableRangeProcessing: true);
    }

    private static async Task<IResult> ListAsync(HttpContext context, FileVerbs files)
    {
        var (query, owner) = (context.Request.Query, context.Caller().Name);
        var limit = MaxPage;
        if (query["limit"].FirstOrDefault() is { } text && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MaxPage))
            throw new DoorException(400, "invalid_request", $"limit must be 1 to {MaxPage}");
        var order = query["order"].FirstOrDefault() ?? "desc";
        if (order is not ("asc" or "desc"))
            throw new DoorException(400, "invalid_request", "order must be asc or desc");
        FileRecord? after = null;
        if (query["after"].FirstOrDefault() is { Length: > 0 } id)
            after = await files.FindAsync(id, owner, context.RequestAborted) ?? throw new DoorException(400, "invalid_request", $"after: there is no file {id}");
        var page = await files.ListAsync(owner, query["purpose"].FirstOrDefault(), after, limit + 1, newestFirst: order == "desc", context.RequestAborted);
        var shown = page.Take(limit).ToList();
        var dialect = context.DialectOf();
        return Results.Json(new FileList("list", [.. shown.Select(f => FileObject.Of(f, dialect))], shown.FirstOrDefault()?.Id, shown.LastOrDefault()?.Id, page.Count > limit));
    }

    private static async Task<IResult> DeleteAsync(string id, HttpContext context, FileVerbs files) =>
        await files.DeleteAsync(id, context.Caller().Name) ? Results.Json(new FileDeleted(id, "file", true), FileJson.Default.FileDeleted) : throw NotFound(id);

    private static async Task<FileRecord> FindAsync(string id, HttpContext context, FileVerbs files) =>
        await files.FindAsync(id, context.Caller().Name, context.RequestAborted) ?? throw NotFound(id);

    private static IResult Answer(FileRecord file, HttpContext context)
    {
        var shown = FileObject.Of(file, context.DialectOf());
        return shown is OpenAIFileObject openAI ? Results.Json(openAI, FileJson.Default.OpenAIFileObject) : Results.Json(shown, FileJson.Default.FileObject);
    }

    private static DoorException NotFound(string id) => new(404, "not_found", $"there is no file {id}");
}
