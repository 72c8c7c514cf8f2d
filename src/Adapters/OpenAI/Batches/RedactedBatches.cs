using TaskQueue.Http.Auth;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>Redacts metadata and errors of batches for a caller.</summary>
internal static class RedactedBatches
{
    public static BellaBatch Of(BellaBatch batch, Redactor redactor) =>
        redactor.IsOn
            ? batch with { Metadata = batch.Metadata is { } metadata ? Of(metadata, redactor) : null, Errors = Of(batch.Errors, redactor) }
            : batch;

    public static OpenAIBatch Of(OpenAIBatch batch, Redactor redactor) =>
        redactor.IsOn ? batch with { Metadata = Of(batch.Metadata, redactor), Errors = Of(batch.Errors, redactor) } : batch;

    private static Dictionary<string, string> Of(IReadOnlyDictionary<string, string> metadata, Redactor redactor) =>
        metadata.ToDictionary(m => m.Key, m => redactor.Text(m.Key, m.Value));

    private static BatchErrors? Of(BatchErrors? errors, Redactor redactor) =>
        errors is null ? null
            : errors with { Data = [.. errors.Data.Select(e => e with { Message = redactor.Text("message", e.Message) })] };
}
