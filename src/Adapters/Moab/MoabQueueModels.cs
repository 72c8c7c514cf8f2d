namespace TaskQueue.Adapters.Moab;

/// <summary>Retry intervals of failed tasks. An absent and an empty strategy differ: see <see cref="MoabFields.Retries"/>.</summary>
/// <param name="RetryIntervalsInSeconds">At most 21, each 0 to 900: the n-th is the delay after the n-th failure.</param>
public sealed record MoabRetryStrategy(IReadOnlyList<long>? RetryIntervalsInSeconds = null);

/// <summary>A token bucket; off if a number is 0.</summary>
/// <param name="MaxTokens">Tasks per interval, and the maximum burst.</param>
/// <param name="Interval">Length of the interval in units.</param>
/// <param name="IntervalUnit"><c>SECONDS</c>, <c>MINUTES</c> or <c>HOURS</c>.</param>
public sealed record MoabRateLimiting(long? MaxTokens, long? Interval, string? IntervalUnit);

/// <summary>Limits on dequeuing.</summary>
/// <param name="MaxInProgressTasks">Concurrency limit; 0: unlimited.</param>
/// <param name="RateLimiting">Rate limit; absent: unlimited.</param>
/// <param name="DequeuingPaused">Whether dequeuing is paused.</param>
public sealed record MoabDequeuingSettings(long? MaxInProgressTasks = null, MoabRateLimiting? RateLimiting = null,
    bool? DequeuingPaused = null);

/// <summary>Handling of permanently failed tasks; if absent or not enabled, they are deleted.</summary>
/// <param name="Enable">Whether they are kept.</param>
/// <param name="MaxSize">Maximum number, above which the oldest is deleted; 0: unlimited.</param>
/// <param name="RetentionPeriodInSeconds">5 to 1209600, the default.</param>
public sealed record MoabDeadLetters(bool? Enable = null, long? MaxSize = null, long? RetentionPeriodInSeconds = null);

/// <summary>CreateQueue.</summary>
/// <param name="Name">Letters, digits, - and _, 1 to 128 of them.</param>
/// <param name="KeepaliveTimeoutInSeconds">5 to 60.</param>
/// <param name="Description">At most 1,024 characters.</param>
/// <param name="ExpiresInSeconds">5 to 1209600, the default.</param>
/// <param name="RetryStrategy">If absent or empty, the first failure is final.</param>
/// <param name="DequeuingSettings">Optional.</param>
/// <param name="DeadLetterQueueConfig">Optional.</param>
public sealed record MoabCreateQueueBody(
    string? Name, long? KeepaliveTimeoutInSeconds, string? Description = null, long? ExpiresInSeconds = null,
    MoabRetryStrategy? RetryStrategy = null, MoabDequeuingSettings? DequeuingSettings = null,
    MoabDeadLetters? DeadLetterQueueConfig = null);

/// <summary>UpdateQueue: replaces all settings.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="KeepaliveTimeoutInSeconds">As in CreateQueue.</param>
/// <param name="Description">As in CreateQueue.</param>
/// <param name="ExpiresInSeconds">As in CreateQueue.</param>
/// <param name="RetryStrategy">As in CreateQueue.</param>
/// <param name="DequeuingSettings">As in CreateQueue.</param>
/// <param name="DeadLetterQueueConfig">As in CreateQueue.</param>
/// <param name="ExpectedVersion">The update is refused if the queue has another version; absent or 0: any.</param>
public sealed record MoabUpdateQueueBody(
    string? QueueName, long? KeepaliveTimeoutInSeconds, string? Description = null, long? ExpiresInSeconds = null,
    MoabRetryStrategy? RetryStrategy = null, MoabDequeuingSettings? DequeuingSettings = null,
    MoabDeadLetters? DeadLetterQueueConfig = null, long? ExpectedVersion = null);

/// <summary>GetQueue, DeleteQueue, PurgeQueue.</summary>
public sealed record MoabQueueBody(string? QueueName);

/// <summary>ListQueues.</summary>
/// <param name="PaginationToken">Token from an earlier response.</param>
/// <param name="Limit">1 to 250; 0: 100.</param>
public sealed record MoabListQueuesBody(string? PaginationToken = null, long? Limit = null);

/// <summary>A queue. Times are Unix nanoseconds; values not given and without a default are null.</summary>
public sealed record MoabQueue(
    string Name, string Description, long CreatedAt, long UpdatedAt, int Version, long KeepaliveTimeoutInSeconds, long ExpiresInSeconds,
    MoabRetryStrategy? RetryStrategy, MoabDequeuingSettings? DequeuingSettings, MoabDeadLetters? DeadLetterQueueConfig);

/// <summary>Response of CreateQueue and UpdateQueue.</summary>
public sealed record MoabQueueAnswer(MoabQueue Queue);

/// <summary>Counts of a queue.</summary>
/// <param name="EnqueuedTasksCount">Waiting now.</param>
/// <param name="InProgressTasksCount">Running now.</param>
/// <param name="DeadTasksCount">Dead now.</param>
/// <param name="ProcessedTasksCount">Succeeded so far.</param>
/// <param name="ExpiredTasksCount">Expired so far.</param>
/// <param name="AgeOfOldestEnqueuedTask">Nanoseconds since the oldest task that can be dequeued became due; 0 if there is none.</param>
public sealed record MoabQueueStats(
    long EnqueuedTasksCount, long InProgressTasksCount, long DeadTasksCount, long ProcessedTasksCount, long ExpiredTasksCount,
    long AgeOfOldestEnqueuedTask);

/// <summary>Response of GetQueue.</summary>
public sealed record MoabGetQueueAnswer(MoabQueue Queue, IReadOnlyList<MoabSchedule> Schedules, MoabQueueStats Stats, long Now);

/// <summary>Response of ListQueues, ordered by name.</summary>
public sealed record MoabQueuesAnswer(IReadOnlyList<MoabQueue> Queues, string NextPaginationToken, string PreviousPaginationToken);

/// <summary>Empty response.</summary>
public sealed record MoabNothing;

/// <summary>Stored with a queue by this API: its objects as given, for what the engine's settings do not express.</summary>
/// <param name="Adapter">The API that wrote it.</param>
/// <param name="Retry">Null if absent, like the others.</param>
/// <param name="Dequeuing">With its defaults.</param>
/// <param name="DeadLetters">With its defaults.</param>
public sealed record MoabQueueMark(string Adapter, MoabRetryStrategy? Retry, MoabDequeuingSettings? Dequeuing,
    MoabDeadLetters? DeadLetters);

/// <summary>Every error of this API.</summary>
/// <param name="Code">Error code, such as <c>NOT_FOUND</c>.</param>
/// <param name="Message">The problem and how to fix it.</param>
/// <param name="Details">Details, such as <c>queue_name</c>.</param>
public sealed record MoabError(string Code, string Message, IReadOnlyDictionary<string, string> Details);
