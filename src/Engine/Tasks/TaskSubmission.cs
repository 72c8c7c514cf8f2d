using TaskQueue.Contracts;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// A task to accept, as the APIs, schedules and batches hand it to the engine. Nothing of it comes in over the bus as it is.
/// </summary>
/// <param name="Id">Unique; a task with this id that exists already is left alone.</param>
/// <param name="Queue">Base name of the queue.</param>
/// <param name="Payload">JSON text handed to the worker as it is.</param>
public sealed record TaskSubmission(Guid Id, string Queue, string Payload)
{
    /// <summary>0 is online, 1..N offline.</summary>
    public int Tier { get; init; }

    /// <summary>Which handler of a worker runs the task; null where the queue says enough.</summary>
    public string? Name { get; init; }

    /// <summary>Higher runs first within a queue and tier; null is the tier's default, which is Normal where nobody set it.</summary>
    public Priority? Priority { get; init; }

    /// <summary>Not runnable earlier (UTC); null is at once.</summary>
    public DateTime? ScheduledAt { get; init; }

    /// <summary>Not started at or after this time (UTC); null is never.</summary>
    public DateTime? ExpiresAt { get; init; }

    /// <summary>
    /// How many attempts a run of the task has, 1..100; null is as many as its own retry intervals allow, else the queue's, else 4.
    /// </summary>
    public int? MaxAttempts { get; init; }

    /// <summary>JSON object of text that travels with the task, for adapters and tracing.</summary>
    public string? Headers { get; init; }

    /// <summary>At most one task of the queue with this key waits or runs; a duplicate is skipped. At most 256 characters.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>What a duplicate changes on the task that holds the key, while that one waits.</summary>
    public OverwriteFields Overwrite { get; init; }

    /// <summary>
    /// Tasks of a queue with the same ordering key run one at a time, earliest first. Pull queues only; at most 256 characters.
    /// </summary>
    public string? OrderingKey { get; init; }

    /// <summary>
    /// How long an attempt may go without a heartbeat where its claim does not say, 1 to 86,400; null is the queue's default.
    /// </summary>
    public double? LeaseSeconds { get; init; }

    /// <summary>How failed attempts are tried again; null is the queue's policy.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>What else happens when the task ends; null is nothing.</summary>
    public CompletionActions? Ending { get; init; }

    /// <summary>
    /// Whose task it is: callers see what their tenant owns. Null is nobody's: administrators see it. At most 128 characters.
    /// </summary>
    public string? Owner { get; init; }

    /// <summary>The batch whose line the task is; set by the engine.</summary>
    public Guid? BatchId { get; init; }
}
