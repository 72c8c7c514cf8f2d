namespace TaskQueue.Adapters.Moab;

/// <summary>When failed tasks are tried again. None said and an empty one differ: see <see cref="MoabFields.Retries"/>.</summary>
/// <param name="RetryIntervalsInSeconds">At most 21, each 0 to 900: the n-th is waited after the n-th failure.</param>
public sealed record MoabRetryStrategy(IReadOnlyList<long>? RetryIntervalsInSeconds = null);

/// <summary>A token bucket; off where a number is 0.</summary>
/// <param name="MaxTokens">Tasks that an interval lets through, and the largest burst.</param>
/// <param name="Interval">In units.</param>
/// <param name="IntervalUnit"><c>SECONDS</c>, <c>MINUTES</c> or <c>HOURS</c>.</param>
public sealed record MoabRateLimiting(long? MaxTokens, long? Interval, string? IntervalUnit);

/// <summary>How tasks are handed out.</summary>
/// <param name="MaxInProgressTasks">0 is unlimited.</param>
/// <param name="RateLimiting">Absent is unlimited.</param>
/// <param name="DequeuingPaused">Nothing is handed out.</param>
public sealed record MoabDequeuingSettings(long? MaxInProgressTasks = null, MoabRateLimiting? RateLimiting = null,
    bool? DequeuingPaused = null);

/// <summary>What becomes of tasks that failed for good; where absent or not enabled they are deleted.</summary>
/// <param name="Enable">Whether they are kept.</param>
/// <param name="MaxSize">Beyond it the oldest goes; 0 is unlimited.</param>
/// <param name="RetentionPeriodInSeconds">5 to 1209600, the default.</param>
public sealed record MoabDeadLetters(bool? Enable = null, long? MaxSize = null, long? RetentionPeriodInSeconds = null);

/// <summary>CreateQueue.</summary>
/// <param name="Name">Letters, digits, - and _, 1 to 128 of them.</param>
/// <param name="KeepaliveTimeoutInSeconds">5 to 60.</param>
/// <param name="Description">At most 1,024 characters.</param>
/// <param name="ExpiresInSeconds">5 to 1209600, the default.</param>
/// <param name="RetryStrategy">Where absent or empty, the first failure is final.</param>
/// <param name="DequeuingSettings">Optional.</param>
/// <param name="DeadLetterQueueConfig">Optional.</param>
public sealed record MoabCreateQueueBody(
    string? Name, long? KeepaliveTimeoutInSeconds, string? Description = null, long? ExpiresInSeconds = null,
    MoabRetryStrategy? RetryStrategy = null, MoabDequeuingSettings? DequeuingSettings = null,
        MoabDeadLetters? DeadLetterQueueConfig = null);

/// <summary>UpdateQueue: takes the place of all settings.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="KeepaliveTimeoutInSeconds">As in CreateQueue.</param>
/// <param name="Description">As in CreateQueue.</param>
/// <param name="ExpiresInSeconds">As in CreateQueue.</param>
/// <param name="RetryStrategy">As in CreateQueue.</param>
/// <param name="DequeuingSettings">As in CreateQueue.</param>
/// <param name="DeadLetterQueueConfig">As in CreateQueue.</param>
/// <param name="ExpectedVersion">Refused where the queue has another version; absent or 0 is any.</param>
public sealed record MoabUpdateQueueBody(
    string? QueueName, long? KeepaliveTimeoutInSeconds, string? Description = null, long? ExpiresInSeconds = null,
    MoabRetryStrategy? RetryStrategy = null, MoabDequeuingSettings? DequeuingSettings = null,
        MoabDeadLetters? DeadLetterQueueConfig = null, long? ExpectedVersion = null);

/// <summary>GetQueue, DeleteQueue, PurgeQueue.</summary>
public sealed record MoabQueueBody(string? QueueName);

/// <summary>ListQueues.</summary>
/// <param name="PaginationToken">From an earlier answer.</param>
/// <param name="Limit">1 to 250; 0 is 100.</param>
public sealed record MoabListQueuesBody(string? PaginationToken = null, long? Limit = null);

/// <summary>A queue. Times are Unix nanoseconds; what was not given and has no default is null.</summary>
public sealed record MoabQueue(
    string Name, string Description, long CreatedAt, long UpdatedAt, int Version, long KeepaliveTimeoutInSeconds, long ExpiresInSeconds,
    MoabRetryStrategy? RetryStrategy, MoabDequeuingSettings? DequeuingSettings, MoabDeadLetters? DeadLetterQueueConfig);

/// <summary>Answer of CreateQueue and UpdateQueue.</summary>
public sealed record MoabQueueAnswer(MoabQueue Queue);

/// <summary>Counts of a queue.</summary>
/// <param name="EnqueuedTasksCount">Waiting now.</param>
/// <param name="InProgressTasksCount">Running now.</param>
/// <param name="DeadTasksCount">Dead now.</param>
/// <param name="ProcessedTasksCount">Succeeded so far.</param>
/// <param name="ExpiredTasksCount">Expired so far.</param>
/// <param name="AgeOfOldestEnqueuedTask">Nanoseconds since the oldest task that can be dequeued fell due; 0 where there is none.</param>
public sealed record MoabQueueStats(
    long EnqueuedTasksCount, long InProgressTasksCount, long DeadTasksCount, long ProcessedTasksCount, long ExpiredTasksCount,
        long AgeOfOldestEnqueuedTask);

/// <summary>Answer of GetQueue.</summary>
public sealed record MoabGetQueueAnswer(MoabQueue Queue, IReadOnlyList<MoabSchedule> Schedules, MoabQueueStats Stats, long Now);

/// <summary>Answer of ListQueues, by name.</summary>
public sealed record MoabQueuesAnswer(IReadOnlyList<MoabQueue> Queues, string NextPaginationToken, string PreviousPaginationToken);

/// <summary>Answer of what has nothing to say.</summary>
public sealed record MoabNothing;

/// <summary>What this API keeps with a queue: its objects as they were given, for what the engine's settings do not tell.</summary>
/// <param name="Adapter">Whose text it is.</param>
/// <param name="Retry">Null where absent, like the others.</param>
/// <param name="Dequeuing">With its defaults.</param>
/// <param name="DeadLetters">With its defaults.</param>
public sealed record MoabQueueMark(string Adapter, MoabRetryStrategy? Retry, MoabDequeuingSettings? Dequeuing,
    MoabDeadLetters? DeadLetters);

/// <summary>Every error of this API.</summary>
/// <param name="Code">Such as <c>NOT_FOUND</c>.</param>
/// <param name="Message">What to change.</param>
/// <param name="Details">Such as <c>queue_name</c>.</param>
public sealed record MoabError(string Code, string Message, IReadOnlyDictionary<string, string> Details);
