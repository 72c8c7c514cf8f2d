namespace TaskQueue.Contracts;

/// <summary>
/// Asks the engine to accept 1..N tasks. Send it to <see cref="Addresses.Submit"/>; a redelivery with the same ids changes nothing.
/// </summary>
/// <remarks>The message headers <c>traceparent</c> and <c>tracestate</c> are the trace context of its tasks.</remarks>
/// <param name="Tasks">The tasks, at most 1,000; a single task is a batch of one.</param>
public sealed record SubmitTasks(IReadOnlyList<SubmittedTask> Tasks);

/// <summary>One task to accept. Whose task it is the server takes from the broker's user; what else a message holds is ignored.</summary>
/// <param name="Id">Chosen by the producer, unique; a task with this id that exists already is left alone.</param>
/// <param name="Queue">Base name of the queue, <c>^[a-zA-Z0-9_-]+$</c>, at most 128 characters.</param>
/// <param name="Payload">JSON text handed to the worker as it is.</param>
public sealed record SubmittedTask(Guid Id, string Queue, string Payload)
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

    /// <summary>Where the result of a success is posted to, as it is; null is nowhere. At most 2,048 characters.</summary>
    public string? CallbackUrl { get; init; }
}

/// <summary>Sent by the engine to the bus workers of a push queue, at the exchange named after the queue.</summary>
/// <param name="Tasks">One task when idle, up to 100 under backlog.</param>
public sealed record DispatchTasks(IReadOnlyList<DispatchedTask> Tasks);

/// <summary>One task to run.</summary>
/// <param name="Id">The task.</param>
/// <param name="Queue">Base name of its queue.</param>
/// <param name="Tier">0 is online, 1..N offline.</param>
/// <param name="Name">Which handler runs it; may be null.</param>
/// <param name="Attempt">The number of the attempt that a worker starts; its fencing token in every report.</param>
/// <param name="Payload">JSON text as submitted.</param>
/// <param name="Headers">JSON object with the trace context of the task, <c>traceparent</c> and <c>tracestate</c>; null where it has
/// none.</param>
public sealed record DispatchedTask(Guid Id, string Queue, int Tier, string? Name, int Attempt, string Payload, string? Headers);

/// <summary>
/// What a bus worker reports of 1..N tasks, at most 1,000 entries of each kind. Send it to <see cref="Addresses.Report"/>.
/// </summary>
/// <param name="Worker">Name of the worker, at most 200 characters.</param>
/// <param name="Started">Attempts that began; applied before heartbeats and outcomes.</param>
/// <param name="Heartbeats">Attempts that go on: their leases are renewed.</param>
/// <param name="Outcomes">Attempts that ended.</param>
public sealed record ReportTasks(
    string Worker,
    IReadOnlyList<AttemptStarted> Started,
    IReadOnlyList<AttemptHeartbeat> Heartbeats,
    IReadOnlyList<AttemptOutcome> Outcomes);

/// <summary>An attempt began.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The attempt of the dispatch.</param>
/// <param name="LeaseSeconds">How long the attempt may go without a heartbeat; above 0, at most 86,400; null is the default of 15.</param>
public sealed record AttemptStarted(Guid TaskId, int Attempt, double? LeaseSeconds = null);

/// <summary>An attempt goes on.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The running attempt.</param>
/// <param name="Progress">JSON text of how far it is, at most 4,096 characters; null leaves what was said before.</param>
public sealed record AttemptHeartbeat(Guid TaskId, int Attempt, string? Progress = null);

/// <summary>An attempt ended: with a result, or with an error.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Attempt">The running attempt; any other is refused.</param>
/// <param name="Result">JSON text of the result of a success.</param>
/// <param name="Error">Text of the error of a failure; null means success.</param>
/// <param name="Retryable">Whether a failure may be tried again while attempts are left.</param>
/// <param name="SnoozeSeconds">Gives the task back for so much later, 0 to 2,592,000, and no attempt is counted; null where the attempt
/// ended.</param>
public sealed record AttemptOutcome(Guid TaskId, int Attempt, string? Result = null, string? Error = null, bool Retryable = true,
    double? SnoozeSeconds = null);
