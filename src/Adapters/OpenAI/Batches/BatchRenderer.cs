using TaskQueue.Engine.Batches;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <inheritdoc />
internal sealed class BatchRenderer : IBatchRenderer
{
    /// <inheritdoc />
    public string Render(BatchState batch, BatchProgress progress) => BatchObjects.ToText(batch, progress, batch.Strict);
}
