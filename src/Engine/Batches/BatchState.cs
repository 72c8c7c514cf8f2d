using MassTransit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>
/// One batch: the instance of <see cref="BatchStateMachine"/> and the row of table <c>batches</c>. Its lines are tasks that
/// carry its id. Times are UTC.
/// </summary>
public sealed class BatchState : SagaStateMachineInstance, IOwnedInQueue
{
    /// <summary>Unique; shown as <c>BATCH-…</c>.</summary>
    public Guid CorrelationId { get; set; }

    /// <summary>A number of <see cref="BatchStates"/>.</summary>
    public int State { get; set; }

    /// <summary>Base name of the queue that its tasks go to.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Level of its tasks.</summary>
    public int Tier { get; set; }

    /// <summary>What processes its lines, such as <c>/v1/chat/completions</c>.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>As it was given, such as <c>24h</c>.</summary>
    public string CompletionWindow { get; set; } = "";

    /// <summary>File of its lines.</summary>
    public string InputFileId { get; set; } = "";

    /// <summary>File of results; null until it ended, or where there is none.</summary>
    public string? OutputFileId { get; set; }

    /// <summary>File of errors; null until it ended, or where there is none.</summary>
    public string? ErrorFileId { get; set; }

    /// <summary>
    /// OpenAI's rules: one bad line fails the whole batch, and a failed request is an error. Else a bad line is an error of its
    /// own, and whatever a worker completes with is a result (bella.md 12).
    /// </summary>
    public bool Strict { get; set; }

    /// <summary>Who may see it; null is everybody.</summary>
    public string? Owner { get; set; }

    /// <summary>Name of the caller that made it.</summary>
    public string? Submitter { get; set; }

    /// <summary>JSON object of text pairs, or null.</summary>
    public string? Metadata { get; set; }

    /// <summary>Where every end is posted to, or null.</summary>
    public string? CallbackUrl { get; set; }

    /// <summary>JSON list of what is wrong with the input, for a batch that failed.</summary>
    public string? Errors { get; set; }

    /// <summary>Lines of the input that are no blank ones; 0 until the file was read.</summary>
    public int Total { get; set; }

    /// <summary>Lines that cannot be run.</summary>
    public int BadLines { get; set; }

    /// <summary>Lines whose task succeeded; set when the batch ends.</summary>
    public int Completed { get; set; }

    /// <summary>Lines in the error file; set when the batch ends.</summary>
    public int FailedLines { get; set; }

    /// <summary>Lines of the input that are tasks or known as bad; blank ones do not count.</summary>
    public int LinesDone { get; set; }

    /// <summary>Bytes of the input behind them.</summary>
    public long BytesDone { get; set; }

    /// <summary>A scheduler works on it until then; any other may take over after that.</summary>
    public DateTime? WorkedUntil { get; set; }

    /// <summary>When it was accepted.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When it expires.</summary>
    public DateTime DeadlineAt { get; set; }

    /// <summary>When its input was found good.</summary>
    public DateTime? InProgressAt { get; set; }

    /// <summary>When its last task ended.</summary>
    public DateTime? FinalizingAt { get; set; }

    /// <summary>When somebody cancelled it.</summary>
    public DateTime? CancellingAt { get; set; }

    /// <summary>When it completed, failed, expired or was cancelled.</summary>
    public DateTime? FinishedAt { get; set; }

    /// <summary>Counts its changes.</summary>
    public int Version { get; set; }
}

/// <summary>Numbers of the machine's states in the database.</summary>
public static class BatchStates
{
    /// <summary>Accepted; its input is being read.</summary>
    public const int Validating = 3;

    /// <summary>Its lines are tasks, or become tasks.</summary>
    public const int InProgress = 4;

    /// <summary>Somebody cancelled it: what runs may end within a short time.</summary>
    public const int Cancelling = 5;

    /// <summary>Its deadline is over: what waits is given up.</summary>
    public const int Expiring = 6;

    /// <summary>All its tasks have ended; its files are being written.</summary>
    public const int Finalizing = 7;

    /// <summary>Terminal: every line has its result or error.</summary>
    public const int Completed = 8;

    /// <summary>Terminal: its input cannot be run.</summary>
    public const int Failed = 9;

    /// <summary>Terminal: its deadline came first.</summary>
    public const int Expired = 10;

    /// <summary>Terminal: cancelled.</summary>
    public const int Cancelled = 11;

    /// <summary>Whether nothing changes it any more.</summary>
    public static bool IsTerminal(int state) => state >= Completed;
}

/// <summary>
/// A row of table <c>batch_counts</c>: how many lines of a batch ended so. A row a stream, which only the holder of the
/// stream's lock changes, so that nobody waits for a counter.
/// </summary>
public sealed class BatchCount
{
    /// <summary>The batch.</summary>
    public Guid BatchId { get; set; }

    /// <summary>The stream that the transactions held.</summary>
    public int Stream { get; set; }

    /// <summary>How the lines ended.</summary>
    public BatchItemOutcome End { get; set; }

    /// <summary>How many.</summary>
    public int Count { get; set; }
}

/// <summary>A row of table <c>batch_bad_lines</c>: a line that cannot be run, for the error file.</summary>
public sealed class InvalidBatchItem
{
    /// <summary>The batch.</summary>
    public Guid BatchId { get; set; }

    /// <summary>Number among the lines that are not blank, from 0.</summary>
    public int Line { get; set; }

    /// <summary>The line's own id, where it could be read.</summary>
    public string? CustomId { get; set; }

    /// <summary>A stable word.</summary>
    public string Code { get; set; } = "";

    /// <summary>For people.</summary>
    public string Message { get; set; } = "";
}
