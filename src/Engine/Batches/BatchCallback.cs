using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Engine.Batches;

/// <summary>The callback of a batch: due from the moment it ends, where somebody wants one.</summary>
internal static class BatchCallback
{
    /// <summary>The callback that must be stored with a batch; null where it has not ended or nobody wants one.</summary>
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
