using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using TaskQueue.Engine.Files;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.OpenAI.Files;

/// <summary>Streams a multipart upload into the store without buffering it in memory; a failed upload leaves nothing behind.</summary>
internal sealed class FileUpload(HttpContext context, FileService files, long maxBytes)
{
    private const int Buffer = 64 * 1024, MaxField = 16 * 1024, MaxName = 1024, MaxParts = 32, MaxBoundary = 200;

    private const string Expires = "expires_after";

    /// <summary>Allowance for the other parts.</summary>
    private const int Envelope = 1024 * 1024;

    /// <summary>Memory of an upload or a download: its buffers and one stored chunk.</summary>
    public const long Cost = 384 * 1024;

    private readonly Dialect _dialect = context.DialectOf();
    private string? _purpose, _anchor, _seconds;

    /// <summary>What is known of the file before it is read, if it is a part of a larger one.</summary>
    public UploadPart? Part { get; init; }

    /// <exception cref="ApiException">400, 413 or 415.</exception>
    /// <exception cref="Engine.Quotas.QuotaExceededException">429: the caller's storage quota is exhausted.</exception>
    public async Task<FileRecord> StoreAsync()
    {
        var requestKey = context.IdempotencyKey();
        if (requestKey is not null && await files.FindByRequestAsync(requestKey, context.RequestAborted) is { } known)
            return known;
        // Checked before reading: a client that sends Expect: 100-continue then sends nothing.
        ContentCodings.DemandNone(context);
        if (context.Request.ContentLength > maxBytes + Envelope)
            throw TooLarge();
        if (context.Request.ContentLength is { } length)
            await files.DemandRoomAsync(context.Access().Tenant, length - Envelope);
        var body = BodyPace.Of(context) is { } pace ? new PacedStream(context, pace) : context.Request.Body;
        var reader = new MultipartReader(BoundaryOf(context.Request), body) { HeadersLengthLimit = MaxField };
        FileWriter? file = null;
        try
        {
            for (var parts = 0; await ReadAsync(() => reader.ReadNextSectionAsync(context.RequestAborted)) is { } part; parts++)
            {
                if (parts == MaxParts)
                    throw OpenAIErrors.Invalid($"the upload has more than {MaxParts} parts");
                var disposition = part.GetContentDispositionHeader()
                    ?? throw OpenAIErrors.Invalid("a part of the upload has no Content-Disposition");
                var name = HeaderUtilities.UnescapeAsQuotedString(disposition.Name).Value;
                if (name == Field)
                {
                    file = file is null ? await OpenAsync(disposition) : throw OpenAIErrors.Invalid("the upload has more than one file");
                    await FillAsync(file, part.Body);
                    continue;
                }

                Note(name, await ReadFieldAsync(part.Body));
            }

            if (requestKey is not null && await files.FindByRequestAsync(requestKey, context.RequestAborted) is { } meanwhile)
                return meanwhile; // the client gave up and sent it again, and the other request was faster
            return await (file ?? throw OpenAIErrors.Invalid($"the upload has no part named {Field}"))
                .CommitAsync(Part?.Purpose ?? _purpose ?? FilePurposes.Parse(null, _dialect), Part?.Keep ?? Keep(), requestKey);
        }
        finally
        {
            if (file is not null)
                await file.DisposeAsync();
        }
    }

    private string Field => Part is null ? "file" : "data";

    private void Note(string? name, string value)
    {
        switch (name)
        {
            case "purpose":
                _purpose = FilePurposes.Parse(value, _dialect);
                break;
            case $"{Expires}[anchor]":
                _anchor = value;
                break;
            case $"{Expires}[seconds]":
                _seconds = value;
                break;
        }
    }

    /// <exception cref="ApiException">400.</exception>
    private TimeSpan? Keep()
    {
        if (_anchor is null && _seconds is null)
            return null;
        var seconds = long.TryParse(_seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : (long?)null;
        return TimeSpan.FromSeconds(new ExpiresAfterBody(_anchor, seconds).Read(Expires));
    }

    private async Task<FileWriter> OpenAsync(ContentDispositionHeaderValue disposition)
    {
        var cost = Cost + files.WriteMemory(context.Request.ContentLength);
        await context.Memory().GrowBodyAsync(cost, cost, context.RequestAborted);
        if (Part is not null)
            return await files.OpenUploadAsync(context.Access().Tenant, purpose: "", Part.FileName, maxBytes);
        var name = (disposition.FileNameStar.HasValue ? disposition.FileNameStar
            : HeaderUtilities.UnescapeAsQuotedString(disposition.FileName)).Value;
        return name is { Length: > 0 and <= MaxName } && !name.Contains('\0', StringComparison.Ordinal)
            ? await files.OpenUploadAsync(context.Access().Tenant, purpose: "", name, maxBytes)
            : throw OpenAIErrors.Invalid($"the part named file must have a filename of 1 to {MaxName} characters");
    }

    /// <summary>Copies in a loop to distinguish a broken body, the client's fault, from a failing store.</summary>
    private async Task FillAsync(FileWriter file, Stream body)
    {
        var buffer = new byte[Buffer];
        try
        {
            while (await ReadAsync(() => body.ReadAsync(buffer, context.RequestAborted).AsTask()) is var read and > 0)
                await file.Stream.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
        }
        catch (FileTooLargeException)
        {
            throw TooLarge();
        }
    }

    private async Task<string> ReadFieldAsync(Stream body)
    {
        var buffer = new byte[MaxField + 1];
        var read = await ReadAsync(() =>
            body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, context.RequestAborted).AsTask());
        return read <= MaxField ? Encoding.UTF8.GetString(buffer, 0, read)
            : throw OpenAIErrors.Invalid($"a field of the upload has more than {MaxField} bytes");
    }

    private static async Task<T> ReadAsync<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception fault) when (fault is IOException and not BadHttpRequestException or InvalidDataException)
        {
            throw OpenAIErrors.Invalid($"the multipart body is broken: {fault.Message}");
        }
    }

    private static string BoundaryOf(HttpRequest request)
    {
        var boundary = MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            && type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            ? HeaderUtilities.RemoveQuotes(type.Boundary).Value
            : null;
        return boundary is { Length: > 0 and <= MaxBoundary } ? boundary
            : throw OpenAIErrors.Invalid("the body must be multipart/form-data with a boundary");
    }

    private ApiException TooLarge() => new(413, "too_large", $"the file must have at most {maxBytes} bytes");
}

/// <summary>A file that is a part of a larger one.</summary>
/// <param name="Purpose">Its purpose.</param>
/// <param name="FileName">Its name.</param>
/// <param name="Keep">How long it is kept.</param>
internal sealed record UploadPart(string Purpose, string FileName, TimeSpan Keep);
