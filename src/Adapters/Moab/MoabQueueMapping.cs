using System.Text.Json;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;

namespace TaskQueue.Adapters.Moab;

/// <summary>Maps between Moab's queues and the engine's.</summary>
internal static class MoabQueueMapping
{
    private const string AdapterName = "moab";
    private const int MaxLimit = 1_000_000; // the engine's
    private static readonly TimeSpan LongestInterval = TimeSpan.FromDays(365);

    /// <exception cref="TaskQueue.Http.Errors.ApiException">400.</exception>
    public static QueueSettings ToSettings(MoabCreateQueueBody body)
    {
        MoabFields.Retry(body.RetryStrategy, "retry_strategy");
        var mark = new MoabQueueMark(AdapterName, Full(body.RetryStrategy), Full(body.DequeuingSettings), Full(body.DeadLetterQueueConfig));
        var (retry, attempts) = Retries(mark.Retry);
        return new QueueSettings
        {
            Description = MoabFields.Description(body.Description),
            LeaseMs = MoabFields.Keepalive(body.KeepaliveTimeoutInSeconds, "keepalive_timeout_in_seconds") * 1000,
            ExpireAfterMs = (MoabFields.Life(body.ExpiresInSeconds, "expires_in_seconds") ?? MoabFields.DefaultLifeSeconds) * 1000,
            Retry = retry,
            MaxAttempts = attempts,
            MaxRunning = (int)(mark.Dequeuing?.MaxInProgressTasks ?? 0),
            Rate = Rate(mark.Dequeuing?.RateLimiting),
            Paused = mark.Dequeuing?.DequeuingPaused ?? false,
            DeadLetters = DeadLetters(mark.DeadLetters),
            Events = EventPolicy.All,
            Adapter = JsonSerializer.Serialize(mark, MoabJson.Instance.MoabQueueMark),
        };
    }

    public static MoabCreateQueueBody ToSettingsBody(MoabUpdateQueueBody body) =>
        new(body.QueueName, body.KeepaliveTimeoutInSeconds, body.Description, body.ExpiresInSeconds, body.RetryStrategy,
            body.DequeuingSettings, body.DeadLetterQueueConfig);

    /// <summary>Whether the queue's settings come from this API.</summary>
    public static bool IsOurs(QueueRecord queue) => MarkOf(queue.Settings) is not null;

    /// <summary>Maps a queue; settings from another API are mapped as closely as Moab's model allows.</summary>
    public static MoabQueue ToQueue(QueueRecord queue) => ToQueue(queue, Redactor.None);

    /// <summary>Maps a queue, redacted for a caller.</summary>
    public static MoabQueue ToQueue(QueueRecord queue, Redactor redactor)
    {
        var settings = queue.Settings;
        var mark = MarkOf(settings);
        return new MoabQueue(
            queue.Name, redactor.Text("description", settings.Description), MoabFields.Nanoseconds(queue.CreatedAt),
            MoabFields.Nanoseconds(queue.UpdatedAt), queue.Version,
            (settings.LeaseMs ?? TaskService.DefaultLeaseMs) / 1000, (settings.ExpireAfterMs ?? 0) / 1000,
            Retries(mark?.Retry) is var (retry, attempts) && attempts == settings.MaxAttempts && Same(retry, settings.Retry) ? mark?.Retry
                : Rebuild(settings),
            Dequeuing(settings, mark?.Dequeuing),
            DeadLetters(mark?.DeadLetters) == settings.DeadLetters ? mark?.DeadLetters : Rebuild(settings.DeadLetters));
    }

    public static MoabQueueStats ToStats(QueueStats stats, DateTime now) =>
        new(stats.Waiting, stats.Running, stats.Dead, stats.Completed, stats.Expired,
            stats.OldestDueAt is { } due && due < now ? (now - due).Ticks * MoabFields.NanosecondsPerTick : 0);

    private static MoabRetryStrategy? Full(MoabRetryStrategy? strategy) =>
        strategy is null ? null : new(strategy.RetryIntervalsInSeconds ?? []);

    private static MoabDequeuingSettings? Full(MoabDequeuingSettings? settings) =>
        settings is null ? null : new(
            MoabFields.Count(settings.MaxInProgressTasks, "dequeuing_settings.max_in_progress_tasks", MaxLimit),
            Full(settings.RateLimiting), settings.DequeuingPaused ?? false);

    private static MoabRateLimiting? Full(MoabRateLimiting? limiting)
    {
        if (limiting is null)
            return null;
        const string Field = "dequeuing_settings.rate_limiting";
        var (unit, ms) = MoabWords.Unit(limiting.IntervalUnit, $"{Field}.interval_unit");
        var tokens = MoabFields.Count(limiting.MaxTokens, $"{Field}.max_tokens", MaxLimit);
        var interval = MoabFields.Count(limiting.Interval, $"{Field}.interval");
        return interval * ms <= LongestInterval.TotalMilliseconds
            ? new(tokens, interval, unit)
            : throw MoabFields.Wrong($"{Field}.interval must be at most {LongestInterval.TotalDays} days");
    }

    private static MoabDeadLetters? Full(MoabDeadLetters? config)
    {
        if (config is null)
            return null;
        const string Field = "dead_letter_queue_config";
        return new(
            config.Enable ?? false, MoabFields.Count(config.MaxSize, $"{Field}.max_size"),
            MoabFields.Life(config.RetentionPeriodInSeconds, $"{Field}.retention_period_in_seconds") ?? MoabFields.DefaultLifeSeconds);
    }

    /// <summary>For a queue an absent strategy equals an empty one.</summary>
    private static (RetryPolicy? Retry, int? MaxAttempts) Retries(MoabRetryStrategy? strategy) => MoabFields.Retries(strategy ?? new());

    private static RateLimit? Rate(MoabRateLimiting? limiting) =>
        limiting is { MaxTokens: > 0, Interval: > 0 }
            ? new((int)limiting.MaxTokens, limiting.Interval.Value * MoabWords.Unit(limiting.IntervalUnit, "interval_unit").Ms)
            : null;

    private static DeadLetterSettings DeadLetters(MoabDeadLetters? config) =>
        config is null ? new(Enabled: false)
            : new(config.Enable ?? false, (int)(config.MaxSize ?? 0), config.RetentionPeriodInSeconds * 1000);

    private static MoabDequeuingSettings? Dequeuing(QueueSettings settings, MoabDequeuingSettings? said)
    {
        var isSaid = Rate(said?.RateLimiting) == settings.Rate;
        if (isSaid && (said?.MaxInProgressTasks ?? 0) == settings.MaxRunning && (said?.DequeuingPaused ?? false) == settings.Paused)
            return said;
        return new(settings.MaxRunning, isSaid ? said?.RateLimiting : Rebuild(settings.Rate), settings.Paused);
    }

    private static MoabRateLimiting? Rebuild(RateLimit? rate)
    {
        if (rate is null)
            return null;
        // Uses the largest unit that is exact; fractions of a second are rounded up.
        foreach (var word in new[] { "HOURS", "MINUTES" })
        {
            if (MoabWords.Unit(word, word).Ms is var ms && rate.IntervalMs % ms == 0)
                return new(rate.MaxTokens, rate.IntervalMs / ms, word);
        }

        return new(rate.MaxTokens, (rate.IntervalMs + 999) / 1000, "SECONDS");
    }

    private static MoabRetryStrategy? Rebuild(QueueSettings settings)
    {
        var retry = settings.Retry ?? new RetryPolicy();
        var attempts = settings.MaxAttempts ?? (retry.Intervals?.Count + 1) ?? SubmissionRules.DefaultMaxAttempts;
        return attempts <= 1 ? null
            : new([.. Enumerable.Range(0, attempts - 1).Select(failure => (long)Math.Ceiling(Seconds(retry, failure)))]);
    }

    private static double Seconds(RetryPolicy retry, int failure) =>
        retry.Intervals is { Count: > 0 } intervals
            ? intervals[Math.Min(failure, intervals.Count - 1)]
            : Math.Min(retry.CapSeconds, retry.FirstSeconds * Math.Pow(retry.Factor, failure));

    private static MoabDeadLetters? Rebuild(DeadLetterSettings settings) =>
        new(settings.Enabled, settings.MaxSize, (settings.RetentionMs ?? 0) / 1000);

    private static bool Same(RetryPolicy? one, RetryPolicy? other) =>
        one is null || other is null ? one == other : one.Intervals is { } a && other.Intervals is { } b && a.SequenceEqual(b);

    private static MoabQueueMark? MarkOf(QueueSettings settings)
    {
        try
        {
            return settings.Adapter is { } text
                && JsonSerializer.Deserialize(text, MoabJson.Instance.MoabQueueMark) is { Adapter: AdapterName } mark ? mark : null;
        }
        catch (JsonException)
        {
            return null; // written by another API
        }
    }
}
