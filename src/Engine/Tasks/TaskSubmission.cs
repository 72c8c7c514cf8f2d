using TaskQueue.Contracts;

namespace TaskQueue.Engine.Tasks;

/// <summary>A task to submit, as APIs, schedules and batches pass it to the engine. Bus messages never contain it directly.</summary>
/// <param name="Id">Unique id; an existing task with this id is left unchanged.</param>
/// <param name="Queue">Base name of the queue.</param>
/// <param name="Payload">JSON text, passed to the worker unchanged.</param>
public sealed record TaskSubmission(Guid Id, string Queue, string Payload)
{
    /// <summary>0 is online, 1..N offline.</summary>
    public int Tier { get; init; }

    /// <summary>Name of the handler that runs the task; null if the queue is sufficient.</summary>
    public string? Name { get; init; }

    /// <summary>Higher runs first within a queue and tier; null is the tier's default, or Normal.</summary>
    public Priority? Priority { get; init; }

    /// <summary>Earliest start (UTC); null is immediately.</summary>
    public DateTime? ScheduledAt { get; init; }

    /// <summary>Must start before this time (UTC); null is never.</summary>
    public DateTime? ExpiresAt { get; init; }

    /// <summary>Attempts of a run, 1..100; null is as many as its own retry intervals allow, otherwise the queue's, otherwise 4.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>JSON object of strings that is passed along with the task, for adapters and tracing.</summary>
    public string? Headers { get; init; }

    /// <summary>At most one task of the queue with this key waits or runs; a duplicate is skipped. At most 256 characters.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>What a duplicate overwrites on the task that holds the key, while that task waits.</summary>
    public OverwriteFields Overwrite { get; init; }

    /// <summary>
    /// Tasks of a queue with the same ordering key run one at a time, earliest first. Pull queues only; at most 256 characters.
    /// </summary>
    public string? OrderingKey { get; init; }

    /// <summary>Lease in seconds if the claim does not set it, 1 to 86,400; null is the queue's default.</summary>
    public double? LeaseSeconds { get; init; }

    /// <summary>Retry policy of failed attempts; null is the queue's.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Additional actions when the task ends; null is none.</summary>
    public CompletionActions? CompletionActions { get; init; }

    /// <summary>
    /// Owner of the task: callers see what their tenant owns. Without owner only administrators see it. At most 128 characters.
    /// </summary>
    public string? Owner { get; init; }

    /// <summary>Texts by which it is found: see <see cref="TaskTags.Rule"/>. Null is none.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>The schedule that submits it; set by the engine.</summary>
    public int? ScheduleId { get; init; }

    /// <summary>The batch whose item the task is; set by the engine.</summary>
    public Guid? BatchId { get; init; }
}
