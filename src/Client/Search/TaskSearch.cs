using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>What a search looks for; all conditions must hold, and a property that is not set matches any task.</summary>
public sealed record TaskSearch
{
    /// <summary>Id of the task.</summary>
    public Guid? Id { get; init; }

    /// <summary>Base name of its queue.</summary>
    public string? Queue { get; init; }

    /// <summary>Statuses of which it has one; empty is any.</summary>
    public IReadOnlyList<QueuedTaskStatus> Statuses { get; init; } = [];

    /// <summary>Its name.</summary>
    public string? Name { get; init; }

    /// <summary>Tags, all of which it has.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Its ordering key; of another tenant's tasks together with <see cref="Owner"/>.</summary>
    public string? OrderingKey { get; init; }

    /// <summary>The worker that runs it, or ran its last attempt.</summary>
    public string? Worker { get; init; }

    /// <summary>The batch whose item it is.</summary>
    public string? Batch { get; init; }

    /// <summary>Name of the schedule that submitted it; needs <see cref="Queue"/>.</summary>
    public string? Schedule { get; init; }

    /// <summary>Its owner, for callers that see all tenants.</summary>
    public string? Owner { get; init; }

    /// <summary>Beginning of the error of its last failed attempt.</summary>
    public string? Error { get; init; }

    /// <summary>Accepted at this time or later.</summary>
    public DateTimeOffset? CreatedFrom { get; init; }

    /// <summary>Accepted before this time.</summary>
    public DateTimeOffset? CreatedTo { get; init; }

    /// <summary>Ended at this time or later.</summary>
    public DateTimeOffset? FinishedFrom { get; init; }

    /// <summary>Ended before this time.</summary>
    public DateTimeOffset? FinishedTo { get; init; }

    /// <summary>Most tasks of a page, 1 to 200.</summary>
    public int PageSize { get; init; } = 50;
}

/// <summary>A page of a search, newest first.</summary>
/// <param name="Tasks">The tasks; there may be none although there is a next page.</param>
/// <param name="NextCursor">Where the next page starts; null at the end.</param>
/// <param name="Total">How many tasks the search finds.</param>
public sealed record TaskSearchPage(IReadOnlyList<FoundTask> Tasks, string? NextCursor, TaskSearchTotal Total);

/// <summary>The number of tasks that a search finds.</summary>
/// <param name="Count">The number.</param>
/// <param name="Exact">Whether they were counted, which they are up to 1,000; else it is an estimate.</param>
public sealed record TaskSearchTotal(long Count, bool Exact);

/// <summary>A task that a search has found: without payload and result.</summary>
public sealed record FoundTask
{
    /// <summary>Id of the task.</summary>
    public Guid Id { get; init; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; init; } = "";

    /// <summary>Tier: 0 is online, 1..N offline.</summary>
    public int Tier { get; init; }

    /// <summary>Its name.</summary>
    public string? Name { get; init; }

    /// <summary>Priority within its queue and tier.</summary>
    public Priority Priority { get; init; }

    /// <summary>Current status.</summary>
    [JsonPropertyName("state")]
    public QueuedTaskStatus Status { get; init; }

    /// <summary>Attempts started so far.</summary>
    public int Attempt { get; init; }

    /// <summary>Maximum number of attempts per run.</summary>
    public int MaxAttempts { get; init; }

    /// <summary>Its tags.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>See <see cref="NewTask.OrderingKey"/>.</summary>
    public string? OrderingKey { get; init; }

    /// <summary>Worker of the last attempt.</summary>
    public string? Worker { get; init; }

    /// <summary>Its owner; null if the server requires no keys.</summary>
    public string? Owner { get; init; }

    /// <summary>The batch whose item it is.</summary>
    public string? BatchId { get; init; }

    /// <summary>Name of the schedule that submitted it.</summary>
    public string? Schedule { get; init; }

    /// <summary>Error of the last failed attempt.</summary>
    public string? Error { get; init; }

    /// <summary>Progress last reported by its worker.</summary>
    public JsonElement? Progress { get; init; }

    /// <summary>When it was accepted.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Earliest start of the next attempt.</summary>
    public DateTimeOffset DueAt { get; init; }

    /// <summary>When the last attempt started.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(TaskSearchPage))]
internal sealed partial class SearchJson : JsonSerializerContext;
