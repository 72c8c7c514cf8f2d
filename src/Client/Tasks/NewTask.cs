using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A task to enqueue.</summary>
/// <param name="Queue">Base name of the queue: letters, digits, <c>-</c> and <c>_</c>, at most 128.</param>
/// <param name="Name">Which processor of a worker runs it; at most 256 characters.</param>
public sealed record NewTask(string Queue, string Name)
{
    /// <summary>
    /// The id of the task. Chosen here, so that an enqueue that got no answer can be sent again and is still one task. A copy made
    /// by <c>with</c> has the same id: it would be a duplicate.
    /// </summary>
    public Guid Id { get; init; } = TaskId.New(TimeProvider.System);

    /// <summary>JSON text of what the processor works on; null is nothing. Use <see cref="Of{T}"/> for a value.</summary>
    public string? Data { get; init; }

    /// <summary>0 is online, 1..N offline.</summary>
    public int Level { get; init; }

    /// <summary>Higher runs first; null is the queue's default, which is Normal where nobody set it.</summary>
    public Priority? Priority { get; init; }

    /// <summary>Not run earlier; null is at once.</summary>
    public DateTimeOffset? ScheduledAt { get; init; }

    /// <summary>Not started at or after this time; null is as the queue says, else never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>1 to 100; null is as many as <see cref="Retry"/> has intervals and one more, else the queue's, else 4.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>At most one task of the queue with this key waits or runs; a duplicate is skipped. At most 256 characters.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>What a duplicate changes on the waiting task instead.</summary>
    public OverwriteFields Overwrite { get; init; }

    /// <summary>Tasks of one thread of a queue run one at a time, earliest first. At most 256 characters.</summary>
    public string? ThreadId { get; init; }

    /// <summary>How long an attempt may go without a heartbeat, 1 s to 24 h; null is the queue's.</summary>
    public TimeSpan? Lease { get; init; }

    /// <summary>How failed attempts are tried again; null is the queue's policy, else 2, 4, 8 … seconds.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Where the result of a success is posted to; null is nowhere.</summary>
    public Uri? CallbackUrl { get; init; }

    /// <summary>A task whose data is a value.</summary>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Which processor runs it.</param>
    /// <param name="data">What it works on.</param>
    /// <param name="type">How the value is written, of a source-generated context.</param>
    public static NewTask Of<T>(string queue, string name, T data, JsonTypeInfo<T> type) => new(queue, name) { Data = JsonSerializer.Serialize(data, type) };
}

/// <summary>What became of an enqueue.</summary>
public enum EnqueueResult
{
    /// <summary>A new task.</summary>
    Queued,

    /// <summary>Another task with its dedupe key waits or runs, or a task with its id exists: nothing changed.</summary>
    Duplicate,

    /// <summary>The waiting task with its dedupe key was changed.</summary>
    Updated,

    /// <summary>The broker has it; the server will look at it. Of the bus only.</summary>
    Sent,
}

/// <summary>The answer to an enqueue.</summary>
/// <param name="Id">The task that stands: the new one, or the one with its dedupe key.</param>
/// <param name="Result">What became of it.</param>
public sealed record EnqueuedTask(Guid Id, EnqueueResult Result);
