using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A task to enqueue.</summary>
/// <param name="Queue">Base name of the queue: letters, digits, <c>-</c> and <c>_</c>, at most 128.</param>
/// <param name="Name">Task name, which selects the worker's processor; at most 256 characters.</param>
public sealed record NewTask(string Queue, string Name)
{
    /// <summary>
    /// Id of the task. The client chooses it, so that an unanswered enqueue can be retried without creating a second task. A copy made
    /// with <c>with</c> keeps the id and is therefore a duplicate.
    /// </summary>
    public Guid Id { get; init; } = TaskId.New(TimeProvider.System);

    /// <summary>Data for the processor as JSON text; null: none. Use <c>Of</c> for a value.</summary>
    public string? Data { get; init; }

    /// <summary>Tier: 0 is online, 1..N offline.</summary>
    public int Tier { get; init; }

    /// <summary>Higher runs first; null: the queue's default, Normal unless set.</summary>
    public Priority? Priority { get; init; }

    /// <summary>Earliest start; null: immediately.</summary>
    public DateTimeOffset? ScheduledAt { get; init; }

    /// <summary>The task expires if it has not started by this time; null: as set for the queue, else never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>1 to 100; null: the number of intervals of <see cref="Retry"/> plus one, else the queue's, else 4.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>At most one waiting or running task per queue has this key; duplicates are skipped. At most 256 characters.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>Fields of the waiting task that a duplicate overwrites.</summary>
    public OverwriteFields Overwrite { get; init; }

    /// <summary>Tasks of a queue with the same ordering key run one at a time, earliest first. At most 256 characters.</summary>
    public string? OrderingKey { get; init; }

    /// <summary>How long an attempt may go without a heartbeat, 1 s to 24 h; null: the queue's lease.</summary>
    public TimeSpan? Lease { get; init; }

    /// <summary>Retry policy of failed attempts; null: the queue's policy, else 2, 4, 8 … seconds.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>
    /// Texts by which the task is found: at most 16 different ones of 1 to 64 characters, without commas and control characters.
    /// </summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>URL to which the result is posted on success; null: none.</summary>
    public Uri? CallbackUrl { get; init; }

    /// <summary>Creates a task with a value as its data.</summary>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Task name, which selects the processor.</param>
    /// <param name="data">The data.</param>
    /// <param name="type">Serialization metadata from a source-generated context.</param>
    public static NewTask Of<T>(string queue, string name, T data, JsonTypeInfo<T> type) =>
        new(queue, name) { Data = JsonSerializer.Serialize(data, type) };

    /// <summary>Creates a task with a value as its data, whose JSON is made by reflection.</summary>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Task name, which selects the processor.</param>
    /// <param name="data">The data; a text becomes a JSON string.</param>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public static NewTask Of<T>(string queue, string name, T data) => Of(queue, name, data, ReflectedJson.Of<T>());
}

/// <summary>Submit status of a task.</summary>
public enum EnqueueResult
{
    /// <summary>A new task was created.</summary>
    Queued,

    /// <summary>Nothing changed: a waiting or running task has the dedupe key, or a task with this id exists.</summary>
    Duplicate,

    /// <summary>The waiting task with the same dedupe key was updated.</summary>
    Updated,

    /// <summary>Bus only: the broker confirmed the message; the server has not processed it yet.</summary>
    Sent,
}

/// <summary>Submit result of a task.</summary>
/// <param name="Id">Id of the new task, or of the existing task with its dedupe key.</param>
/// <param name="Result">Submit status.</param>
public sealed record EnqueuedTask(Guid Id, EnqueueResult Result);
