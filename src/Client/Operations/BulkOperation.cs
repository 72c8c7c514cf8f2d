using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>What an operation does to each task.</summary>
public enum BulkOperationAction
{
    /// <summary>Runs failed and cancelled tasks again.</summary>
    Retry,

    /// <summary>Cancels tasks that have not ended.</summary>
    Cancel,

    /// <summary>Deletes tasks that have ended.</summary>
    Delete,

    /// <summary>Moves waiting tasks to another queue, and runs failed ones again there.</summary>
    Move,

    /// <summary>Changes the payload of waiting tasks, and of failed ones, which run again.</summary>
    Edit,
}

/// <summary>How far an operation is.</summary>
public enum BulkOperationState
{
    /// <summary>Accepted.</summary>
    Planned,

    /// <summary>Changes tasks.</summary>
    Running,

    /// <summary>Changes no task until it is resumed or cancelled.</summary>
    Paused,

    /// <summary>Ended.</summary>
    Completed,

    /// <summary>Ended on request before all tasks were looked at.</summary>
    Cancelled,

    /// <summary>Puts back what it has changed.</summary>
    Undoing,

    /// <summary>Ended: what could be put back is as it was.</summary>
    Undone,
}

/// <summary>An operation on many tasks, to be started.</summary>
public sealed record NewBulkOperation
{
    /// <summary>What it does.</summary>
    public BulkOperationAction Action { get; init; }

    /// <summary>Ids of up to 1,000 tasks; empty if <see cref="Search"/> selects them.</summary>
    public IReadOnlyList<Guid> Ids { get; init; } = [];

    /// <summary>Selects the tasks, unless <see cref="Ids"/> do.</summary>
    public TaskSearch? Search { get; init; }

    /// <summary>With <see cref="BulkOperationAction.Move"/>: the queue to which they move.</summary>
    public string? TargetQueue { get; init; }

    /// <summary>With <see cref="BulkOperationAction.Edit"/>: a JSON patch (RFC 6902) of the payload.</summary>
    public JsonElement? Patch { get; init; }

    /// <summary>Most tasks a second; null is as fast as possible.</summary>
    public double? RatePerSecond { get; init; }
}

/// <summary>An operation on many tasks.</summary>
public sealed record BulkOperation
{
    /// <summary>Its id.</summary>
    public Guid Id { get; init; }

    /// <summary>What it does.</summary>
    public BulkOperationAction Action { get; init; }

    /// <summary>How far it is.</summary>
    public BulkOperationState State { get; init; }

    /// <summary>Number of tasks that were selected when it was created.</summary>
    public TaskSearchTotal Total { get; init; } = new(0, true);

    /// <summary>Tasks that it has changed.</summary>
    public long Done { get; init; }

    /// <summary>Tasks that were in no state for the action, or gone.</summary>
    public long Skipped { get; init; }

    /// <summary>Tasks that could not be changed: see <see cref="Error"/>.</summary>
    public long Failed { get; init; }

    /// <summary>Tasks that were put back.</summary>
    public long Undone { get; init; }

    /// <summary>Why a task could not be changed last.</summary>
    public string? Error { get; init; }

    /// <summary>Whether what it has changed can be put back.</summary>
    public bool CanUndo { get; init; }

    /// <summary>The queue to which it moves tasks.</summary>
    public string? TargetQueue { get; init; }

    /// <summary>Most tasks a second.</summary>
    public double? RatePerSecond { get; init; }

    /// <summary>Tenant of its creator.</summary>
    public string? Owner { get; init; }

    /// <summary>Name of its creator.</summary>
    public string? CreatedBy { get; init; }

    /// <summary>When it was created.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
}

/// <summary>The tasks that an operation would change now.</summary>
public sealed record BulkOperationPreview
{
    /// <summary>Their number.</summary>
    public long Count { get; init; }

    /// <summary>Whether they were counted; else the number is an estimate.</summary>
    public bool Exact { get; init; }

    /// <summary>Up to 10 of them.</summary>
    public IReadOnlyList<Guid> SampleIds { get; init; } = [];
}

/// <summary>What becomes of an operation.</summary>
public enum BulkOperationDecision
{
    /// <summary>It stops until it is resumed.</summary>
    Pause,

    /// <summary>It continues.</summary>
    Resume,

    /// <summary>It ends; what it has done stays.</summary>
    Cancel,

    /// <summary>What it has changed is put back, as far as that is possible. It must have ended.</summary>
    Undo,
}

internal sealed record BulkOperationListAnswer(IReadOnlyList<BulkOperation> Operations, string? NextCursor);

internal sealed record BulkOperationBody(
    string Action, BulkSelectionBody Selection, string? TargetQueue, JsonElement? Patch, double? RatePerSecond, bool? DryRun);

internal sealed record BulkSelectionBody(IReadOnlyList<Guid>? Ids, IReadOnlyDictionary<string, IReadOnlyList<string>>? Search);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BulkOperation))]
[JsonSerializable(typeof(BulkOperationPreview))]
[JsonSerializable(typeof(BulkOperationListAnswer))]
[JsonSerializable(typeof(BulkOperationBody))]
internal sealed partial class BulkOperationJson : JsonSerializerContext;
