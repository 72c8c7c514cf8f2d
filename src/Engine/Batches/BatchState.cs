using MassTransit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>
/// A batch: the instance of <see cref="BatchStateMachine"/> and the row of table <c>batches</c>. Its items are tasks that carry its id.
/// Times are UTC.
/// </summary>
public sealed class BatchState : SagaStateMachineInstance, IOwnedInQueue
{
    /// <summary>Unique id, shown as <c>BATCH-…</c>.</summary>
    public Guid CorrelationId { get; set; }

    /// <summary>One of <see cref="BatchStates"/>.</summary>
    public int State { get; set; }

    /// <summary>Base name of the queue of its tasks.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Tier of its tasks.</summary>
    public int Tier { get; set; }

    /// <summary>Endpoint that processes its items, such as <c>/v1/chat/completions</c>.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>The completion window as submitted, such as <c>24h</c>.</summary>
    public string CompletionWindow { get; set; } = "";

    /// <summary>File with its items.</summary>
    public string InputFileId { get; set; } = "";

    /// <summary>Results file; null until the batch ends, or if there is none.</summary>
    public string? OutputFileId { get; set; }

    /// <summary>Error file; null until the batch ends, or if there is none.</summary>
    public string? ErrorFileId { get; set; }

    /// <summary>
    /// Whether OpenAI's rules apply: one invalid item fails the whole batch, and a failed request is an error. Otherwise an invalid item is
    /// an error of its own, and everything a worker completes with is a result (bella.md 12).
    /// </summary>
    public bool Strict { get; set; }

    /// <summary>Owner; null is visible to everyone.</summary>
    public string? Owner { get; set; }

    /// <summary>Name of the caller that created it.</summary>
    public string? Submitter { get; set; }

    /// <summary>JSON object of string pairs, or null.</summary>
    public string? Metadata { get; set; }

    /// <summary>URL that receives the callback when the batch ends, or null.</summary>
    public string? CallbackUrl { get; set; }

    /// <summary>JSON list of input errors of a failed batch.</summary>
    public string? Errors { get; set; }

    /// <summary>The model that the first item names; null until the input is read, or if it names none.</summary>
    public string? Model { get; set; }

    /// <summary>JSON of <see cref="BatchUsage"/>; null until the batch ends, or if no answer tells any.</summary>
    public string? Usage { get; set; }

    /// <summary>Seconds after which the files of the batch expire, from their creation; null is never.</summary>
    public int? OutputExpiresAfter { get; set; }

    /// <summary>Whether identical requests run once, and their result is copied.</summary>
    public bool Deduplicate { get; set; }

    /// <summary>The batch whose failed items it repeats, or null.</summary>
    public Guid? RetryOf { get; set; }

    /// <summary>Identifies the request that created it, so that the same request repeated creates nothing; null: it has no key.</summary>
    public string? RequestKey { get; set; }

    /// <summary>Number of items, without blank lines; 0 until the input is read.</summary>
    public int Total { get; set; }

    /// <summary>Number of invalid items.</summary>
    public int BadLines { get; set; }

    /// <summary>Items whose task succeeded; set when the batch ends.</summary>
    public int Completed { get; set; }

    /// <summary>Items in the error file; set when the batch ends.</summary>
    public int FailedLines { get; set; }

    /// <summary>Items already expanded into tasks or found invalid; blank lines do not count.</summary>
    public int LinesDone { get; set; }

    /// <summary>Offset in the input up to which items are expanded, in bytes.</summary>
    public long BytesDone { get; set; }

    /// <summary>End of the lease of the scheduler that processes the batch; afterwards another may take over.</summary>
    public DateTime? WorkedUntil { get; set; }

    /// <summary>When it was accepted.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When it expires.</summary>
    public DateTime DeadlineAt { get; set; }

    /// <summary>When its input was found valid.</summary>
    public DateTime? InProgressAt { get; set; }

    /// <summary>When its last task ended.</summary>
    public DateTime? FinalizingAt { get; set; }

    /// <summary>When it was cancelled.</summary>
    public DateTime? CancellingAt { get; set; }

    /// <summary>When it completed, failed, expired or was cancelled.</summary>
    public DateTime? FinishedAt { get; set; }

    /// <summary>Incremented by each change.</summary>
    public int Version { get; set; }
}

/// <summary>State numbers stored in the database.</summary>
public static class BatchStates
{
    /// <summary>Accepted; its input is being read.</summary>
    public const int Validating = 3;

    /// <summary>Its items are being expanded into tasks, or are running.</summary>
    public const int InProgress = 4;

    /// <summary>Cancelled: running tasks may still finish within the grace period.</summary>
    public const int Cancelling = 5;

    /// <summary>The deadline has passed: waiting tasks are cancelled.</summary>
    public const int Expiring = 6;

    /// <summary>All its tasks have ended; its files are being written.</summary>
    public const int Finalizing = 7;

    /// <summary>Terminal: every item has a result or an error.</summary>
    public const int Completed = 8;

    /// <summary>Terminal: the input is invalid.</summary>
    public const int Failed = 9;

    /// <summary>Terminal: the deadline passed first.</summary>
    public const int Expired = 10;

    /// <summary>Terminal: cancelled.</summary>
    public const int Cancelled = 11;

    /// <summary>Whether the state is final.</summary>
    public static bool IsTerminal(int state) => state >= Completed;
}

/// <summary>
/// A row of table <c>batch_counts</c>: the number of items of a batch with one outcome. There is a row for each partition, which only the
/// holder of the partition's lock changes, so that no transaction waits for a counter.
/// </summary>
public sealed class BatchCount
{
    /// <summary>The batch.</summary>
    public Guid BatchId { get; set; }

    /// <summary>The partition whose lock the transactions held.</summary>
    public int Partition { get; set; }

    /// <summary>Outcome of the items.</summary>
    public BatchItemOutcome End { get; set; }

    /// <summary>Number of items.</summary>
    public int Count { get; set; }
}

/// <summary>A row of table <c>batch_bad_lines</c>: an invalid item, for the error file.</summary>
public sealed class InvalidBatchItem
{
    /// <summary>The batch.</summary>
    public Guid BatchId { get; set; }

    /// <summary>Index among the non-blank lines, from 0.</summary>
    public int Line { get; set; }

    /// <summary>The item's own id, if it could be read.</summary>
    public string? CustomId { get; set; }

    /// <summary>Stable error code.</summary>
    public string Code { get; set; } = "";

    /// <summary>Text for humans.</summary>
    public string Message { get; set; } = "";
}
