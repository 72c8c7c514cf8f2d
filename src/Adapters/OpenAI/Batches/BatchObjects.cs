using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Ids;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>A batch in Bella's dialect: Unix milliseconds, and a fixed past time for what has not happened.</summary>
public sealed record BellaBatch
{
    /// <summary>The original's value for a time that is not set: the year 2000 in Beijing.</summary>
    public const long NotYet = 946_656_000_000;

    /// <summary><c>BATCH-…</c>.</summary>
    public required string Id { get; init; }

    /// <summary><c>batch</c>.</summary>
    public required string Object { get; init; }

    /// <summary>Endpoint that processes the lines.</summary>
    public required string Endpoint { get; init; }

    /// <summary>validating, in_progress, finalizing, completed, failed, expired or cancelled.</summary>
    public required string Status { get; init; }

    /// <summary>Id of the input file.</summary>
    public required string InputFileId { get; init; }

    /// <summary>As given, or 24h.</summary>
    public required string CompletionWindow { get; init; }

    /// <summary>Id of the output file, or "".</summary>
    public required string OutputFileId { get; init; }

    /// <summary>Id of the error file, or "".</summary>
    public required string ErrorFileId { get; init; }

    /// <summary>When it was accepted.</summary>
    public required long CreatedAt { get; init; }

    /// <summary>When its input was validated.</summary>
    public required long InProgressAt { get; init; }

    /// <summary>When its last task ended.</summary>
    public required long FinalizingAt { get; init; }

    /// <summary>When it completed.</summary>
    public required long CompletedAt { get; init; }

    /// <summary>When it failed.</summary>
    public required long FailedAt { get; init; }

    /// <summary>Deadline.</summary>
    public required long ExpiredAt { get; init; }

    /// <summary>When its cancellation was requested.</summary>
    public required long CancellingAt { get; init; }

    /// <summary>When it was cancelled.</summary>
    public required long CancelledAt { get; init; }

    /// <summary>Line counts.</summary>
    public required BatchProgress RequestCounts { get; init; }

    /// <summary>As given.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>Input errors of a failed batch.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public BatchErrors? Errors { get; init; }
}

/// <summary>A batch in OpenAI's dialect: Unix seconds, and null for what has not happened.</summary>
public sealed record OpenAIBatch
{
    /// <summary><c>BATCH-…</c>.</summary>
    public required string Id { get; init; }

    /// <summary><c>batch</c>.</summary>
    public required string Object { get; init; }

    /// <summary>Endpoint that processes the lines.</summary>
    public required string Endpoint { get; init; }

    /// <summary>Input errors of a failed batch.</summary>
    public BatchErrors? Errors { get; init; }

    /// <summary>Id of the input file.</summary>
    public required string InputFileId { get; init; }

    /// <summary>As given, or 24h.</summary>
    public required string CompletionWindow { get; init; }

    /// <summary>validating, in_progress, finalizing, completed, failed, expired, cancelling or cancelled.</summary>
    public required string Status { get; init; }

    /// <summary>Id of the output file.</summary>
    public string? OutputFileId { get; init; }

    /// <summary>Id of the error file.</summary>
    public string? ErrorFileId { get; init; }

    /// <summary>When it was accepted.</summary>
    public required long CreatedAt { get; init; }

    /// <summary>When its input was validated.</summary>
    public long? InProgressAt { get; init; }

    /// <summary>Deadline.</summary>
    public required long ExpiresAt { get; init; }

    /// <summary>When its last task ended.</summary>
    public long? FinalizingAt { get; init; }

    /// <summary>When it completed.</summary>
    public long? CompletedAt { get; init; }

    /// <summary>When it failed.</summary>
    public long? FailedAt { get; init; }

    /// <summary>When it expired.</summary>
    public long? ExpiredAt { get; init; }

    /// <summary>When its cancellation was requested.</summary>
    public long? CancellingAt { get; init; }

    /// <summary>When it was cancelled.</summary>
    public long? CancelledAt { get; init; }

    /// <summary>Line counts.</summary>
    public required BatchProgress RequestCounts { get; init; }

    /// <summary>As given.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>The model that the first line names.</summary>
    public string? Model { get; init; }

    /// <summary>Tokens used, as far as the answers tell; null until the batch has ended.</summary>
    public BatchUsage? Usage { get; init; }
}

/// <summary>Input errors of a batch.</summary>
public sealed record BatchErrors(string Object, IReadOnlyList<BatchInputError> Data);

/// <summary>A page of batches, newest first.</summary>
/// <typeparam name="T">A batch in a dialect.</typeparam>
public sealed record BatchPage<T>(string Object, IReadOnlyList<T> Data, string? FirstId, string? LastId, bool HasMore);

/// <summary>Maps batches to both dialects (bella.md appendix A).</summary>
internal static class BatchObjects
{
    private const string Batch = "batch";

    private static readonly Dictionary<int, string> Status = new()
    {
        [BatchStates.Validating] = "validating",
        [BatchStates.InProgress] = "in_progress",
        [BatchStates.Cancelling] = "cancelling",
        [BatchStates.Expiring] = "finalizing",
        [BatchStates.Finalizing] = "finalizing",
        [BatchStates.Completed] = "completed",
        [BatchStates.Failed] = "failed",
        [BatchStates.Expired] = "expired",
        [BatchStates.Cancelled] = "cancelled",
    };

    /// <summary>Maps a batch to Bella's dialect, which has no cancelling status.</summary>
    public static BellaBatch ToBella(BatchState batch, BatchProgress progress)
    {
        return new BellaBatch
        {
            Id = BatchId.Format(batch.CorrelationId),
            Object = Batch,
            Endpoint = batch.Endpoint,
            Status = Status[batch.State == BatchStates.Cancelling ? BatchStates.Finalizing : batch.State],
            InputFileId = batch.InputFileId,
            CompletionWindow = batch.CompletionWindow,
            OutputFileId = batch.OutputFileId ?? "",
            ErrorFileId = batch.ErrorFileId ?? "",
            CreatedAt = Milliseconds(batch.CreatedAt),
            InProgressAt = Milliseconds(batch.InProgressAt),
            FinalizingAt = Milliseconds(batch.FinalizingAt),
            CompletedAt = Milliseconds(batch.EndedAs(BatchStates.Completed)),
            FailedAt = Milliseconds(batch.EndedAs(BatchStates.Failed)),
            ExpiredAt = Milliseconds(batch.DeadlineAt),
            CancellingAt = Milliseconds(batch.CancellingAt),
            CancelledAt = Milliseconds(batch.EndedAs(BatchStates.Cancelled)),
            RequestCounts = progress,
            Metadata = MetadataOf(batch),
            Errors = Errors(batch),
        };
    }

    /// <summary>Maps a batch to OpenAI's dialect.</summary>
    public static OpenAIBatch ToOpenAI(BatchState batch, BatchProgress progress)
    {
        return new OpenAIBatch
        {
            Id = BatchId.Format(batch.CorrelationId),
            Object = Batch,
            Endpoint = batch.Endpoint,
            Errors = Errors(batch),
            InputFileId = batch.InputFileId,
            CompletionWindow = batch.CompletionWindow,
            Status = Status[batch.State],
            OutputFileId = batch.OutputFileId,
            ErrorFileId = batch.ErrorFileId,
            CreatedAt = Seconds(batch.CreatedAt)!.Value,
            InProgressAt = Seconds(batch.InProgressAt),
            ExpiresAt = Seconds(batch.CreatedAt)!.Value + (long)(batch.DeadlineAt - batch.CreatedAt).TotalSeconds,
            FinalizingAt = Seconds(batch.FinalizingAt),
            CompletedAt = Seconds(batch.EndedAs(BatchStates.Completed)),
            FailedAt = Seconds(batch.EndedAs(BatchStates.Failed)),
            ExpiredAt = Seconds(batch.EndedAs(BatchStates.Expired)),
            CancellingAt = Seconds(batch.CancellingAt),
            CancelledAt = Seconds(batch.EndedAs(BatchStates.Cancelled)),
            RequestCounts = progress,
            Metadata = MetadataOf(batch) ?? [],
            Model = batch.Model,
            Usage = BatchUsage.Of(batch.Usage),
        };
    }

    /// <summary>The status of a batch in a state.</summary>
    public static string StatusOf(int state) => Status[state];

    /// <summary>The metadata of a batch, or null.</summary>
    public static Dictionary<string, string>? MetadataOf(BatchState batch) =>
        batch.Metadata is null ? null : JsonSerializer.Deserialize(batch.Metadata, BatchJson.Instance.DictionaryStringString);

    private static BatchErrors? Errors(BatchState batch) =>
        batch.Errors is null ? null
            : new BatchErrors("list", JsonSerializer.Deserialize(batch.Errors, BatchJson.Instance.IReadOnlyListBatchInputError)!);

    private static DateTime? EndedAs(this BatchState batch, int state) => batch.State == state ? batch.FinishedAt : null;

    private static long Milliseconds(DateTime? time) => time is { } t ? new DateTimeOffset(t).ToUnixTimeMilliseconds() : BellaBatch.NotYet;

    private static long? Seconds(DateTime? time) => time is { } t ? new DateTimeOffset(t).ToUnixTimeSeconds() : null;
}

/// <summary>Source-generated JSON of batches.</summary>
[JsonSerializable(typeof(BellaBatch))]
[JsonSerializable(typeof(OpenAIBatch))]
[JsonSerializable(typeof(BatchPage<BellaBatch>))]
[JsonSerializable(typeof(BatchPage<OpenAIBatch>))]
internal sealed partial class BatchObjectJson : JsonSerializerContext
{
    /// <summary>The context with the style of all APIs.</summary>
    public static BatchObjectJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
