using System.Text.Json;
using TaskQueue.Engine.Batches;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <inheritdoc />
internal sealed class BatchRenderer : IBatchRenderer
{
    /// <inheritdoc />
    public string Render(BatchState batch, BatchProgress progress) => batch.Strict
        ? JsonSerializer.Serialize(BatchObjects.ToOpenAI(batch, progress), BatchObjectJson.Instance.OpenAIBatch)
        : JsonSerializer.Serialize(BatchObjects.ToBella(batch, progress), BatchObjectJson.Instance.BellaBatch);
}
