using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Engine.Batches;

/// <summary>Creates the callback of a batch, which is due as soon as the batch ends.</summary>
internal static class BatchCallback
{
    /// <summary>The callback to store with a batch; null if the batch has not ended or has no callback URL.</summary>
    public static Callback? DueOf(BatchState batch, IBatchRenderer renderer) =>
        BatchStates.IsTerminal(batch.State) && batch.CallbackUrl is { } url
            ? new Callback
            {
                SubjectId = batch.CorrelationId,
                Url = url,
                Body = renderer.Render(batch, BatchProgress.Of(batch)),
                DueAt = batch.FinishedAt!.Value,
                CreatedAt = batch.FinishedAt.Value,
                Owner = batch.Owner,
                Origin = CallbackOrigin.Of(url),
            }
            : null;
}
