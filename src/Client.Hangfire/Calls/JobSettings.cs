using System.Globalization;
using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Settings of a task that follow from the attributes of its job.</summary>
internal sealed record JobSettings(string Queue, string TaskName)
{
    private const int MaxRetries = 99; // a task has at most 100 attempts
    private const int CrashAttempts = 3; // as in Hangfire, a job without retries is taken again when its worker is killed
    private const int LongestDelay = 30 * 24 * 3600;

    public int MaxAttempts { get; private init; } = 1;

    public RetryPolicy? Retry { get; private init; }

    public string? OrderingKey { get; private init; }

    public TimeSpan? ExpireAfter { get; private init; }

    /// <exception cref="NotSupportedException">An attribute asks for what TaskQueue does not do.</exception>
    /// <exception cref="ArgumentException">An attribute names an invalid queue.</exception>
    public static JobSettings Of(Job job, string askedQueue, JobFilterPlan plan)
    {
        var (attempts, retry) = RetryOf(plan.Retry);
        var queue = QueueOf(job, askedQueue, plan.Queue);
        return new JobSettings(queue, JobNames.TaskOf(job.Type, job.Method.Name))
        {
            MaxAttempts = attempts,
            Retry = retry,
            OrderingKey = plan.Exclusive is { } exclusive ? KeyOf(job, exclusive, plan, queue) : null,
            ExpireAfter = plan.Latency is { } latency ? TimeSpan.FromSeconds(latency.TimeoutInSeconds) : null,
        };
    }

    /// <summary>As in Hangfire: the attribute wins over the state and the call, unless it names the default queue.</summary>
    private static string QueueOf(Job job, string asked, QueueAttribute? attribute)
    {
        var queue = attribute is null ? asked
            : new EnqueuedState(string.Format(CultureInfo.InvariantCulture, attribute.Queue, [.. job.Args])).Queue; // checks the name
        return job.Queue is null || queue != EnqueuedState.DefaultQueue ? queue : job.Queue;
    }

    private static (int Attempts, RetryPolicy? Retry) RetryOf(AutomaticRetryAttribute? attribute)
    {
        if (attribute is null || attribute.Attempts == 0)
            return (CrashAttempts, null); // an exception is final: see JobFilterPlan.IsFinal
        if (attribute.Attempts > MaxRetries)
            throw new NotSupportedException($"AutomaticRetry asks for {attribute.Attempts} retries: at most {MaxRetries} are possible");
        var delays = Enumerable.Range(1, attribute.Attempts).Select(n => attribute.DelaysInSeconds is { } list
            ? list[Math.Min(n, list.Length) - 1] : attribute.DelayInSecondsByAttemptFunc(n));
        return (attribute.Attempts + 1, new RetryPolicy { Intervals = [.. delays.Select(d => (double)Math.Clamp(d, 0, LongestDelay))] });
    }

    /// <summary>Ordering keys belong to a queue, so all jobs that exclude each other must be in one.</summary>
    private static string KeyOf(Job job, DisableConcurrentExecutionAttribute attribute, JobFilterPlan plan, string queue)
    {
        if (queue != HomeOf(plan))
            throw new NotSupportedException($"{JobNames.Readable(job.Type)}.{job.Method.Name} has DisableConcurrentExecution, which works "
                + $"within one queue, and is enqueued to {queue}: name its queue with [Queue(\"{queue}\")] on the method, not in the call");
        var resource = string.IsNullOrWhiteSpace(attribute.Resource) ? $"{JobNames.Readable(job.Type)}.{job.Method.Name}"
            : string.Format(CultureInfo.InvariantCulture, attribute.Resource, [.. job.Args]).ToLowerInvariant();
        return JobNames.KeyOf(resource);
    }

    /// <summary>The queue that follows from the attributes alone; null if it depends on arguments.</summary>
    internal static string? HomeOf(JobFilterPlan plan) =>
        plan.Queue is not { } attribute ? EnqueuedState.DefaultQueue
        : attribute.Queue.Contains('{', StringComparison.Ordinal) ? null : attribute.Queue;
}
