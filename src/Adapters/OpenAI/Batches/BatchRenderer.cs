using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Ids;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>
/// Renders callbacks: OpenAI's event, which names the batch, for batches of OpenAI's dialect, and the batch itself for Bella's. The
/// submitter may choose with the metadata <c>callback_body</c>: <c>event</c> or <c>batch</c>.
/// </summary>
internal sealed class BatchRenderer : IBatchRenderer
{
    public const string Choice = "callback_body", Event = "event", Batch = "batch";

    /// <inheritdoc />
    public string Render(BatchState batch, BatchProgress progress)
    {
        var metadata = BatchObjects.MetadataOf(batch);
        var choice = metadata?.GetValueOrDefault(Choice) ?? (batch.Strict ? Event : Batch);
        return choice == Event ? JsonSerializer.Serialize(BatchEvent.Of(batch), BatchEventJson.Instance.BatchEvent)
            : batch.Strict
                ? JsonSerializer.Serialize(BatchObjects.ToOpenAI(batch, progress), BatchObjectJson.Instance.OpenAIBatch)
                : JsonSerializer.Serialize(BatchObjects.ToBella(batch, progress), BatchObjectJson.Instance.BellaBatch);
    }
}

/// <summary>OpenAI's webhook event.</summary>
/// <param name="Id">The same for each delivery of the event.</param>
/// <param name="Object"><c>event</c>.</param>
/// <param name="Type"><c>batch.completed</c>, <c>batch.failed</c>, <c>batch.expired</c> or <c>batch.cancelled</c>.</param>
/// <param name="CreatedAt">When the batch ended, Unix seconds.</param>
/// <param name="Data">Names the batch.</param>
internal sealed record BatchEvent(string Id, string Object, string Type, long CreatedAt, BatchEventData Data)
{
    public static BatchEvent Of(BatchState batch)
    {
        var id = BatchId.Format(batch.CorrelationId);
        var at = new DateTimeOffset(batch.FinishedAt!.Value).ToUnixTimeSeconds();
        return new BatchEvent($"evt_{id}", "event", $"batch.{BatchObjects.StatusOf(batch.State)}", at, new BatchEventData(id));
    }
}

/// <summary>The subject of an event.</summary>
internal sealed record BatchEventData(string Id);

[JsonSerializable(typeof(BatchEvent))]
internal sealed partial class BatchEventJson : JsonSerializerContext
{
    /// <summary>The context with the style of all APIs.</summary>
    public static BatchEventJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
