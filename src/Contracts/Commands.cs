using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace TaskQueue.Contracts;

/// <summary>Submits 1 to 1,000 tasks. Send it to <see cref="Addresses.Submit"/>; redelivery with the same ids is idempotent.</summary>
/// <remarks>The message headers <c>traceparent</c> and <c>tracestate</c> carry the trace context of its tasks.</remarks>
/// <param name="Tasks">The tasks.</param>
public sealed record SubmitTasks(IReadOnlyList<SubmittedTask> Tasks)
{
    /// <summary>Members of the message that it does not have, such as misspelled ones: the server refuses the message.</summary>
    [JsonExtensionData]
    public JsonObject? Unknown { get; init; }
}

/// <summary>A task to submit. The server derives its owner from the broker user; a task with unknown members is set aside.</summary>
/// <param name="Id">Unique id chosen by the producer; an existing task with this id is left unchanged.</param>
/// <param name="Queue">Base name of the queue, <c>^[a-zA-Z0-9_-]+$</c>, at most 128 characters.</param>
/// <param name="Payload">JSON text, passed to the worker unchanged.</param>
public sealed record SubmittedTask(Guid Id, string Queue, string Payload)
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

    /// <summary>URL that receives the result of a success, unchanged; null sends none. At most 2,048 characters.</summary>
    public string? CallbackUrl { get; init; }

    /// <summary>
    /// Texts by which the task is found: at most 16 different ones of 1 to 64 characters, without commas and control characters. Null is
    /// none.
    /// </summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>Members of the message that a task does not have, such as misspelled ones: the server sets the task aside.</summary>
    [JsonExtensionData]
    public JsonObject? Unknown { get; init; }
}

/// <summary>Sent by the engine to the bus workers of a push queue, at the exchange named after the queue.</summary>
/// <param name="Tasks">One task when idle, up to 100 under backlog.</param>
public sealed record DispatchTasks(IReadOnlyList<DispatchedTask> Tasks);

/// <summary>A task to run.</summary>
/// <param name="Id">The task.</param>
/// <param name="Queue">Base name of its queue.</param>
/// <param name="Tier">0 is online, 1..N offline.</param>
/// <param name="Name">Name of the handler that runs it; may be null.</param>
/// <param name="Attempt">Number of the attempt to start: the fencing token in all reports.</param>
/// <param name="Payload">JSON text as submitted.</param>
/// <param name="Headers">JSON object with the trace context of the task, <c>traceparent</c> and <c>tracestate</c>; null if there is
/// none.</param>
public sealed record DispatchedTask(Guid Id, string Queue, int Tier, string? Name, int Attempt, string Payload, string? Headers)
{
    /// <summary>
    /// How long an attempt may go without a heartbeat in seconds, unless its start is reported with another lease. Null if the server is
    /// older.
    /// </summary>
    public double? LeaseSeconds { get; init; }

    /// <summary>JSON text of the progress that an earlier attempt reported last; null if there is none.</summary>
    public string? Progress { get; init; }
}

/// <summary>
/// Reports of a bus worker on its attempts, at most 1,000 entries of each kind. Send it to <see cref="Addresses.Report"/>.
/// </summary>
/// <param name="Worker">Name of the worker, at most 200 characters.</param>
/// <param name="Started">Attempts that started; applied before heartbeats and outcomes.</param>
/// <param name="Heartbeats">Attempts that continue: their leases are renewed.</param>
/// <param name="Outcomes">Attempts that ended.</param>
public sealed record ReportTasks(
    string Worker,
    IReadOnlyList<AttemptStarted> Started,
    IReadOnlyList<AttemptHeartbeat> Heartbeats,
    IReadOnlyList<AttemptOutcome> Outcomes)
{
    /// <summary>
    /// Queues that the worker consumes from, in a message when it starts: the server warns of those from which nothing will arrive. Null
    /// in all others.
    /// </summary>
    public IReadOnlyList<string>? Queues { get; init; }

    /// <summary>Members of the message that it does not have, such as misspelled ones: the server logs their names.</summary>
    [JsonExtensionData]
    public JsonObject? Unknown { get; init; }
}

/// <summary>An attempt started.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The attempt number of the dispatch.</param>
/// <param name="LeaseSeconds">Lease in seconds; above 0, at most 86,400; null is the default of 15.</param>
public sealed record AttemptStarted(Guid TaskId, int Attempt, double? LeaseSeconds = null)
{
    /// <summary>Members of the message that it does not have, such as misspelled ones: the server logs their names.</summary>
    [JsonExtensionData]
    public JsonObject? Unknown { get; init; }
}

/// <summary>A running attempt continues.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The running attempt.</param>
/// <param name="Progress">JSON text of the progress, at most 4,096 characters; null keeps the previous one.</param>
public sealed record AttemptHeartbeat(Guid TaskId, int Attempt, string? Progress = null)
{
    /// <summary>Lines that the worker logged, at most 100 and 64 kB; null is none. Older lines above the limits are dropped.</summary>
    public IReadOnlyList<AttemptLogLine>? Logs { get; init; }

    /// <summary>Members of the message that it does not have, such as misspelled ones: the server logs their names.</summary>
    [JsonExtensionData]
    public JsonObject? Unknown { get; init; }
}

/// <summary>A line that a worker logged while it ran an attempt.</summary>
/// <param name="At">When (UTC), by the worker's clock.</param>
/// <param name="Level"><c>debug</c>, <c>info</c>, <c>warning</c> or <c>error</c>; any other is taken as info.</param>
/// <param name="Message">The text.</param>
public sealed record AttemptLogLine(DateTime At, string Level, string Message)
{
    /// <summary>Members of the message that it does not have, such as misspelled ones: the server logs their names.</summary>
    [JsonExtensionData]
    public JsonObject? Unknown { get; init; }
}

/// <summary>An attempt ended with a result or an error.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The running attempt; any other is rejected.</param>
/// <param name="Result">JSON text of the result of a success.</param>
/// <param name="Error">Error text of a failure; null means success.</param>
/// <param name="Retryable">Whether a failure may be retried while attempts are left.</param>
/// <param name="SnoozeSeconds">Snoozes the task for this many seconds, 0 to 2,592,000, without counting the attempt; null if the attempt
/// ended.</param>
public sealed record AttemptOutcome(Guid TaskId, int Attempt, string? Result = null, string? Error = null, bool Retryable = true,
    double? SnoozeSeconds = null)
{
    /// <summary>
    /// How long the next attempt of a failed one waits, 0 to 2,592,000 seconds; null is as the retry policy of the task says.
    /// </summary>
    public double? RetryAfterSeconds { get; init; }

    /// <summary>Type of the error, such as the class of an exception; at most 200 characters, the rest is dropped.</summary>
    public string? ErrorType { get; init; }

    /// <summary>Where the error came from; at most 16,384 bytes, the rest is dropped.</summary>
    public string? Stack { get; init; }

    /// <summary>Lines that the worker logged since its last heartbeat: see <see cref="AttemptHeartbeat.Logs"/>.</summary>
    public IReadOnlyList<AttemptLogLine>? Logs { get; init; }

    /// <summary>
    /// Members of the message that an outcome does not have: the server logs their names, and applies the outcome. The work is done:
    /// without its outcome it would be done again.
    /// </summary>
    [JsonExtensionData]
    public JsonObject? Unknown { get; init; }
}
