using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using TaskQueue.Api.Auth;
using TaskQueue.Api.Bella;
using TaskQueue.Api.Http;
using TaskQueue.Engine.Files;

namespace TaskQueue.Api.Files;

/// <summary>Reads a multipart upload straight into the store: it is never held in memory, and what is broken leaves nothing.</summary>
internal sealed class FileUpload(FileVerbs files, FileStoreOptions options)
{
    private const int MaxField = 64 * 1024, MaxName = 1024, MaxParts = 50;

    /// <summary>Room around the file for the other parts.</summary>
    private const int Envelope = 1024 * 1024;

    /// <exception cref="DoorException">400 or 413.</exception>
    public async Task<FileRecord> ReadAsync(HttpContext context)
    {
        var dialect = context.DialectOf();
        // Before anything is read: a client that asks first sends nothing at all.
        if (context.Request.ContentLength > options.MaxBytes + Envelope)
            throw TooLarge();
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null; // counted here, so that the answer says what is wrong
        var reader = new MultipartReader(BoundaryOf(context.Request), context.Request.Body) { HeadersCountLimit = 32, HeadersLengthLimit = 16 * 1024 };
        FileRecord? file = null;
        string? purpose = null;
        try
        {
            for (var parts = 0; await reader.ReadNextSectionAsync(context.RequestAborted) is { } section; parts++)
            {
                if (parts == MaxParts)
                    throw Wrong($"the upload has more than {MaxParts} parts");
                var disposition = section.GetContentDispositionHeader();
                if (disposition is not null && disposition.IsFileDisposition())
                {
                    if (file is not null)
                        throw Wrong("the upload has more than one file");
                    file = await StoreAsync(section, disposition, context);
                }
                else if (disposition is not null && HeaderUtilities.RemoveQuotes(disposition.Name).Equals("purpose", StringComparison.Ordinal))
                {
                    purpose = FilePurposes.Parse(await ReadFieldAsync(section, context.RequestAborted), dialect);
                }
                else
                {
                    await ReadFieldAsync(section, context.RequestAborted);
                }
            }

            if (file is null)
                throw Wrong("the upload has no part named file with a file name");
            return await files.ShowAsync(file.Id, purpose ?? FilePurposes.Parse(null, dialect));
        }
        catch (Exception fault)
        {
            if (file is not null)
                await files.DropAsync(file.Id);
            throw fault is IOException or InvalidDataException && !context.RequestAborted.IsCancellationRequested ? Wrong($"the multipart body is broken: {fault.Message}") : fault;
        }
    }

    private async Task<FileRecord> StoreAsync(MultipartSection section, ContentDispositionHeaderValue disposition, HttpContext context)
    {
        var name = disposition.FileNameStar.HasValue ? disposition.FileNameStar.Value! : HeaderUtilities.RemoveQuotes(disposition.FileName).Value ?? "";
        if (name.Length is 0 or > MaxName || name.Contains('\0', StringComparison.Ordinal))
            throw Wrong($"the name of the file must have 1 to {MaxName} characters");
        try
        {
            return await files.CreateHiddenAsync(context.Caller().Name, name, section.Body, options.MaxBytes, context.RequestAborted);
        }
        catch (FileTooLargeException)
        {
            throw TooLarge();
        }
    }

    private static async Task<string> ReadFieldAsync(MultipartSection section, CancellationToken stop)
    {
        using var reader = new StreamReader(section.Body);
        var buffer = new char[MaxField + 1];
        var read = await reader.ReadBlockAsync(buffer, stop);
        return read <= MaxField ? new string(buffer, 0, read) : throw Wrong($"a field of the upload has more than {MaxField} characters");
    }

    private static string BoundaryOf(HttpRequest request)
    {
        var boundary = MediaTypeHeaderValue.TryParse(request.ContentType, out var type) && type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            ? HeaderUtilities.RemoveQuotes(type.Boundary).Value
            : null;
        return string.IsNullOrEmpty(boundary) || boundary.Length > 200 ? throw Wrong("the body must be multipart/form-data with a boundary") : boundary;
    }

    private DoorException TooLarge() => new(413, "too_large", $"the file must have at most {options.MaxBytes} bytes");

    private static DoorException Wrong(string message) => new(400, "invalid_request", message);
}
