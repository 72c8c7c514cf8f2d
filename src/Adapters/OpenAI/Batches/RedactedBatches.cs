using TaskQueue.Http.Auth;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>Redacts metadata and errors of batches for a caller.</summary>
internal static class RedactedBatches
{
    public static BellaBatch Of(BellaBatch batch, Redactor redactor) =>
        redactor.IsOn
            ? batch with
            {
                Metadata = batch.Metadata is { } metadata ? redactor.Texts(metadata) : null, Errors = Of(batch.Errors, redactor),
            }
            : batch;

    public static OpenAIBatch Of(OpenAIBatch batch, Redactor redactor) =>
        redactor.IsOn ? batch with { Metadata = redactor.Texts(batch.Metadata), Errors = Of(batch.Errors, redactor) } : batch;

    private static BatchErrors? Of(BatchErrors? errors, Redactor redactor) =>
        errors is null ? null
            : errors with { Data = [.. errors.Data.Select(e => e with { Message = redactor.Text("message", e.Message) })] };
}
