using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Files;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>
/// Streams what a batch has produced so far: its files appear when it has ended, and then they are the answer. Holds one page of results at
/// a time, and no connection to the database while the caller reads it.
/// </summary>
internal sealed class PartialOutput(IBatchStore store, FileService files)
{
    public const string ContentType = "application/jsonl";

    /// <summary>Memory of a download besides its page of results.</summary>
    private const long Cost = 128 * 1024;

    private static readonly byte[] LineEnd = "\n"u8.ToArray();

    /// <summary>The lines of a kind. Items that wait or run have none yet; those that get another's result get it at the end.</summary>
    /// <exception cref="ApiException">404: the batch has ended, and its file was deleted.</exception>
    public async Task<IResult> OfAsync(BatchState batch, HttpContext context, BatchResultKind kind)
    {
        await context.Memory().ReserveAnswerAsync(Cost, 1, context.RequestAborted);
        if (!BatchStates.IsTerminal(batch.State))
            return Results.Stream(body => WriteAsync(batch, context, kind, body), ContentType);
        if ((kind == BatchResultKind.Output ? batch.OutputFileId : batch.ErrorFileId) is not { } id)
            return Results.Bytes([], ContentType);
        var file = await files.FindAsync(id, Access.All, context.RequestAborted);
        try
        {
            if (file is not null)
                return Results.Stream(await files.OpenReadAsync(file, context.RequestAborted), ContentType);
        }
        catch (FileNotFoundException)
        {
            // Deleted in the meantime.
        }

        throw new ApiException(404, "not_found", $"the file {id} of the batch was deleted");
    }

    private async Task WriteAsync(BatchState batch, HttpContext context, BatchResultKind kind, Stream body)
    {
        await foreach (var task in store.EndedAsync(batch.CorrelationId, context.Memory().ReserveAnswerAsync, context.RequestAborted))
        {
            var line = BatchResults.Of(batch, task);
            if ((line.Kind == BatchResultKind.Output) == (kind == BatchResultKind.Output))
                await WriteAsync(body, line.Text, context.RequestAborted);
        }

        if (kind == BatchResultKind.Output)
            return;
        await foreach (var bad in store.BadAsync(batch.CorrelationId, context.RequestAborted))
        {
            if (bad.Code != BatchTwins.Code)
                await WriteAsync(body, BatchResults.Of(bad), context.RequestAborted);
        }
    }

    private static async Task WriteAsync(Stream body, byte[] line, CancellationToken cancellationToken)
    {
        await body.WriteAsync(line, cancellationToken);
        await body.WriteAsync(LineEnd, cancellationToken);
    }
}
