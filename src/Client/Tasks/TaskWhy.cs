using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>Why a task does not run, who runs it, or how it ended.</summary>
public sealed class TaskWhy
{
    /// <summary>Id of the task.</summary>
    public Guid Id { get; init; }

    /// <summary>Its status.</summary>
    [JsonPropertyName("state")]
    public QueuedTaskStatus Status { get; init; }

    /// <summary>Whether a worker runs it.</summary>
    public bool Runs { get; init; }

    /// <summary>One sentence: what it waits for first, who runs it, or how it ended.</summary>
    public string Message { get; init; } = "";

    /// <summary>All that keeps a waiting task from running, in the order in which it is worth a look.</summary>
    public IReadOnlyList<TaskGate> Gates { get; init; } = [];
}

/// <summary>Something that keeps a task from running.</summary>
public sealed class TaskGate
{
    /// <summary>
    /// quarantined, expired, due_time, paused, ordering_key, concurrency_limit, rate_limit, tier_lock, push_backlog, no_worker or
    /// waiting_turn.
    /// </summary>
    public string Gate { get; init; } = "";

    /// <summary>One sentence.</summary>
    public string Message { get; init; } = "";

    /// <summary>When it opens by itself, if that is known.</summary>
    public DateTimeOffset? OpensAt { get; init; }

    /// <summary>
    /// Of <c>ordering_key</c> and <c>waiting_turn</c>: the position among the tasks that wait for the same, from 1; null beyond 1,001, and
    /// in a shared queue for a key that is confined to its tenant.
    /// </summary>
    public int? Position { get; init; }

    /// <summary>Up to five tasks that keep it closed, of those that this key may read.</summary>
    public IReadOnlyList<TaskGateHolder> Holders { get; init; } = [];
}

/// <summary>A task that keeps a gate closed.</summary>
public sealed class TaskGateHolder
{
    /// <summary>Id of the task.</summary>
    public Guid TaskId { get; init; }

    /// <summary>Its status.</summary>
    [JsonPropertyName("state")]
    public QueuedTaskStatus Status { get; init; }

    /// <summary>When it may start, or might have.</summary>
    public DateTimeOffset DueAt { get; init; }

    /// <summary>When its lease ends, if it runs.</summary>
    public DateTimeOffset? LeaseUntil { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(TaskWhy))]
internal sealed partial class TaskWhyJson : JsonSerializerContext;
