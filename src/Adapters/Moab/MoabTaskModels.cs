using System.Text.Json.Serialization;

namespace TaskQueue.Adapters.Moab;

/// <summary>Enqueue.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="Entries">1 to 10 tasks; an invalid one rejects all.</param>
public sealed record MoabEnqueueBody(string? QueueName, IReadOnlyList<MoabEnqueueEntry?>? Entries);

/// <summary>One task to enqueue.</summary>
/// <param name="Payload">Text of at most 65,536 bytes.</param>
/// <param name="PayloadBase64">Alternative to Payload for bytes that are not UTF-8.</param>
/// <param name="ScheduledAt">Unix nanoseconds, at most 14 days from now; 0: now.</param>
/// <param name="ExpiresAt">Unix nanoseconds; 0: the latest that the queue allows.</param>
/// <param name="DedupeKey">At most 256 characters; at most one task with it waits or runs.</param>
/// <param name="KeepaliveTimeoutInSeconds">5 to 60; 0: the queue's.</param>
/// <param name="RetryStrategy">Absent: the queue's; empty: no retry.</param>
/// <param name="OverwriteOnDuplicate">Fields that a duplicate overwrites: PAYLOAD, SCHEDULED_AT, EXPIRES_AT.</param>
/// <param name="ThreadId">At most 256 characters: tasks of one thread run one at a time.</param>
public sealed record MoabEnqueueEntry(
    string? Payload = null, string? PayloadBase64 = null, long? ScheduledAt = null, long? ExpiresAt = null, string? DedupeKey = null,
    long? KeepaliveTimeoutInSeconds = null, MoabRetryStrategy? RetryStrategy = null, IReadOnlyList<string?>? OverwriteOnDuplicate = null,
    string? ThreadId = null);

/// <summary>Dequeue.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="BatchSize">1 to 10; 0: 1.</param>
/// <param name="KeepaliveTimeoutInSeconds">5 to 60; 0: the task's own.</param>
public sealed record MoabDequeueBody(string? QueueName, long? BatchSize = null, long? KeepaliveTimeoutInSeconds = null);

/// <summary>ReportStatus.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="Entries">1 to 50.</param>
public sealed record MoabReportBody(string? QueueName, IReadOnlyList<MoabReportEntry?>? Entries);

/// <summary>Outcome or heartbeat of one delivery.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The task's <c>attempts</c> when dequeued.</param>
/// <param name="Status"><c>STATUS_SUCCEEDED</c>, <c>STATUS_IN_PROGRESS</c> (a heartbeat) or <c>STATUS_FAILED</c>.</param>
/// <param name="KeepaliveTimeoutInSeconds">For a heartbeat: 5 to 60; 0: unchanged.</param>
public sealed record MoabReportEntry(string? TaskId, long? Attempt, string? Status, long? KeepaliveTimeoutInSeconds = null);

/// <summary>GetTask.</summary>
public sealed record MoabTaskBody(string? QueueName, string? TaskId);

/// <summary>ListTasks.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="PaginationToken">Token from an earlier response to the same request.</param>
/// <param name="Limit">1 to 250; 0: 100.</param>
/// <param name="State">Absent: all tasks by id; else the tasks in one state, in the order in which they leave it.</param>
public sealed record MoabListTasksBody(string? QueueName, string? PaginationToken = null, long? Limit = null, string? State = null);

/// <summary>DeleteTasks.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="TaskIds">1 to 50, each once; unknown ids are skipped.</param>
public sealed record MoabDeleteTasksBody(string? QueueName, IReadOnlyList<string?>? TaskIds);

/// <summary>RestartTasks, with <c>entries</c> or with <c>task_ids</c>.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="Entries">1 to 50, each task once.</param>
/// <param name="TaskIds">1 to 50, each once.</param>
public sealed record MoabRestartTasksBody(string? QueueName, IReadOnlyList<MoabRestartEntry?>? Entries = null,
    IReadOnlyList<string?>? TaskIds = null);

/// <summary>A dead task to restart.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="ScheduledAt">As in Enqueue.</param>
/// <param name="ExpiresAt">As in Enqueue.</param>
public sealed record MoabRestartEntry(string? TaskId, long? ScheduledAt = null, long? ExpiresAt = null);

/// <summary>A task. Times are Unix nanoseconds; 0: none.</summary>
public sealed record MoabTask
{
    public required string Id { get; init; }

    public required string QueueName { get; init; }

    /// <summary>"" if the payload is not UTF-8.</summary>
    public required string Payload { get; init; }

    /// <summary>Present only if the payload is not UTF-8.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? PayloadBase64 { get; init; }

    public required long CreatedAt { get; init; }

    public required long ScheduledAt { get; init; }

    public required long ExpiresAt { get; init; }

    public required string DedupeKey { get; init; }

    /// <summary>Deliveries since it was enqueued or restarted.</summary>
    public required int Attempts { get; init; }

    public required string ThreadId { get; init; }

    public required string State { get; init; }

    /// <summary>When the lease of a task in progress expires; else 0.</summary>
    public required long VisibleAt { get; init; }
}

/// <summary>Response of Enqueue (only new or changed tasks, so it may be shorter than the request) and of Dequeue.</summary>
public sealed record MoabTasksAnswer(IReadOnlyList<MoabTask> Tasks, long Now);

/// <summary>Response of ReportStatus: one entry each, in request order.</summary>
public sealed record MoabReportAnswer(IReadOnlyList<MoabReportResult> Entries);

/// <param name="TaskId">As sent.</param>
/// <param name="Result"><c>RESULT_OK</c>, <c>RESULT_NOT_FOUND</c>, <c>RESULT_NOT_IN_PROGRESS</c> or <c>RESULT_STALE_ATTEMPT</c>.</param>
public sealed record MoabReportResult(string TaskId, string Result);

/// <summary>Response of GetTask.</summary>
public sealed record MoabTaskAnswer(MoabTask Task, long Now);

/// <summary>Response of ListTasks.</summary>
public sealed record MoabTaskPageAnswer(IReadOnlyList<MoabTask> Tasks, string NextPaginationToken, string PreviousPaginationToken,
    long Now);

/// <summary>Response of RestartTasks: one entry each, in request order.</summary>
public sealed record MoabRestartAnswer(IReadOnlyList<MoabRestartResult> Entries, long Now);

/// <param name="TaskId">As sent.</param>
/// <param name="Result"><c>RESULT_RESTARTED</c>, <c>RESULT_NOT_FOUND</c>, <c>RESULT_NOT_DEAD</c> or <c>RESULT_DEDUPE_CONFLICT</c>.</param>
/// <param name="Task">Present if it was restarted.</param>
public sealed record MoabRestartResult(
    string TaskId, string Result, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] MoabTask? Task = null);
