using System.Text.Json.Serialization;

namespace TaskQueue.Adapters.Moab;

/// <summary>Enqueue.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="Entries">1 to 10 tasks; a wrong one refuses them all.</param>
public sealed record MoabEnqueueBody(string? QueueName, IReadOnlyList<MoabEnqueueEntry?>? Entries);

/// <summary>One task to enqueue.</summary>
/// <param name="Payload">Text of at most 65,536 bytes.</param>
/// <param name="PayloadBase64">In its place: bytes that are no UTF-8.</param>
/// <param name="ScheduledAt">Unix nanoseconds, at most 14 days from now; 0 is now.</param>
/// <param name="ExpiresAt">Unix nanoseconds; 0 is the latest that the queue allows.</param>
/// <param name="DedupeKey">At most 256 characters: one task with it waits or runs.</param>
/// <param name="KeepaliveTimeoutInSeconds">5 to 60; 0 is the queue's.</param>
/// <param name="RetryStrategy">Absent is the queue's, empty is no retry.</param>
/// <param name="OverwriteOnDuplicate">PAYLOAD, SCHEDULED_AT, EXPIRES_AT: what a duplicate changes.</param>
/// <param name="ThreadId">At most 256 characters: tasks of one thread run one at a time.</param>
public sealed record MoabEnqueueEntry(
    string? Payload = null, string? PayloadBase64 = null, long? ScheduledAt = null, long? ExpiresAt = null, string? DedupeKey = null,
    long? KeepaliveTimeoutInSeconds = null, MoabRetryStrategy? RetryStrategy = null, IReadOnlyList<string?>? OverwriteOnDuplicate = null,
        string? ThreadId = null);

/// <summary>Dequeue.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="BatchSize">1 to 10; 0 is 1.</param>
/// <param name="KeepaliveTimeoutInSeconds">5 to 60; 0 is the task's own.</param>
public sealed record MoabDequeueBody(string? QueueName, long? BatchSize = null, long? KeepaliveTimeoutInSeconds = null);

/// <summary>ReportStatus.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="Entries">1 to 50.</param>
public sealed record MoabReportBody(string? QueueName, IReadOnlyList<MoabReportEntry?>? Entries);

/// <summary>What became of one delivery.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">Its <c>attempts</c> as dequeued.</param>
/// <param name="Status"><c>STATUS_SUCCEEDED</c>, <c>STATUS_IN_PROGRESS</c> (a heartbeat) or <c>STATUS_FAILED</c>.</param>
/// <param name="KeepaliveTimeoutInSeconds">Of a heartbeat: 5 to 60; 0 is as before.</param>
public sealed record MoabReportEntry(string? TaskId, long? Attempt, string? Status, long? KeepaliveTimeoutInSeconds = null);

/// <summary>GetTask.</summary>
public sealed record MoabTaskBody(string? QueueName, string? TaskId);

/// <summary>ListTasks.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="PaginationToken">From an earlier answer to the same question.</param>
/// <param name="Limit">1 to 250; 0 is 100.</param>
/// <param name="State">Absent is all by id; else the tasks of one state, in the order in which they leave it.</param>
public sealed record MoabListTasksBody(string? QueueName, string? PaginationToken = null, long? Limit = null, string? State = null);

/// <summary>DeleteTasks.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="TaskIds">1 to 50, each once; unknown ones are passed over.</param>
public sealed record MoabDeleteTasksBody(string? QueueName, IReadOnlyList<string?>? TaskIds);

/// <summary>RestartTasks, with <c>entries</c> or with <c>task_ids</c>.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="Entries">1 to 50, each task once.</param>
/// <param name="TaskIds">1 to 50, each once.</param>
public sealed record MoabRestartTasksBody(string? QueueName, IReadOnlyList<MoabRestartEntry?>? Entries = null,
    IReadOnlyList<string?>? TaskIds = null);

/// <summary>A dead task to run again.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="ScheduledAt">As in Enqueue.</param>
/// <param name="ExpiresAt">As in Enqueue.</param>
public sealed record MoabRestartEntry(string? TaskId, long? ScheduledAt = null, long? ExpiresAt = null);

/// <summary>A task. Times are Unix nanoseconds, 0 is none.</summary>
public sealed record MoabTask
{
    public required string Id { get; init; }

    public required string QueueName { get; init; }

    /// <summary>"" where the payload is no UTF-8.</summary>
    public required string Payload { get; init; }

    /// <summary>Present only where the payload is no UTF-8.</summary>
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

    /// <summary>Until when the task is in progress; else 0.</summary>
    public required long VisibleAt { get; init; }
}

/// <summary>Answer of Enqueue (what is new or changed, so it may be shorter than the request) and of Dequeue.</summary>
public sealed record MoabTasksAnswer(IReadOnlyList<MoabTask> Tasks, long Now);

/// <summary>Answer of ReportStatus: an entry each, in the order of the request.</summary>
public sealed record MoabReportAnswer(IReadOnlyList<MoabReportResult> Entries);

/// <param name="TaskId">As sent.</param>
/// <param name="Result"><c>RESULT_OK</c>, <c>RESULT_NOT_FOUND</c>, <c>RESULT_NOT_IN_PROGRESS</c> or <c>RESULT_STALE_ATTEMPT</c>.</param>
public sealed record MoabReportResult(string TaskId, string Result);

/// <summary>Answer of GetTask.</summary>
public sealed record MoabTaskAnswer(MoabTask Task, long Now);

/// <summary>Answer of ListTasks.</summary>
public sealed record MoabTaskPageAnswer(IReadOnlyList<MoabTask> Tasks, string NextPaginationToken, string PreviousPaginationToken,
    long Now);

/// <summary>Answer of RestartTasks: an entry each, in the order of the request.</summary>
public sealed record MoabRestartAnswer(IReadOnlyList<MoabRestartResult> Entries, long Now);

/// <param name="TaskId">As sent.</param>
/// <param name="Result"><c>RESULT_RESTARTED</c>, <c>RESULT_NOT_FOUND</c>, <c>RESULT_NOT_DEAD</c> or <c>RESULT_DEDUPE_CONFLICT</c>.</param>
/// <param name="Task">Present where it was restarted.</param>
public sealed record MoabRestartResult(
    string TaskId, string Result, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] MoabTask? Task = null);
