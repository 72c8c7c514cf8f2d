namespace TaskQueue.Engine.Queues;

/// <summary>Validation of queue settings, shared by all APIs.</summary>
public static class QueueRules
{
    private const int MaxDescription = 1024;
    private const long MaxTimeMs = 3650L * 24 * 3600 * 1000;
    private const int MaxLimit = 1_000_000;

    /// <summary>The validation error and its remedy, or null.</summary>
    public static string? Check(QueueSettings settings, Delivery delivery)
    {
        if (settings.Description.Length > MaxDescription || settings.Description.Contains('\0', StringComparison.Ordinal))
            return $"description must have at most {MaxDescription} characters and must not contain U+0000";
        if (settings.MaxRunning is < 0 or > MaxLimit)
            return $"max_running must be 0 (unlimited) to {MaxLimit}";
        if (settings.MaxCrashes is < 0 or > 100)
            return "max_crashes must be 0 (never quarantine) to 100";
        if (settings.Rate is { } rate && (rate.MaxTokens is < 1 or > MaxLimit || rate.IntervalMs is < 1 or > MaxTimeMs))
            return $"rate must have 1 to {MaxLimit} tokens and an interval of 0.001 to {MaxTimeMs / 1000} seconds";
        if (delivery == Delivery.Push && settings.IsLimited)
            return "max_running and rate need a pull queue: tasks dispatched by a broker are not counted";
        if (settings.DeadLetters.MaxSize < 0 || Outside(settings.DeadLetters.RetentionMs))
            return $"dead_letters must have a max_size of 0 (unlimited) or more, and a retention of 1 to {MaxTimeMs / 1000} seconds";
        if (Outside(settings.KeepFinishedMs))
            return $"keep_finished_seconds must be 1 to {MaxTimeMs / 1000}";
        if (!Enum.IsDefined(settings.Events))
            return "events must be all, terminal or none";
        if (settings.Tiers is { } tiers && (tiers.Count > 1000 || tiers.Keys.Any(l => l is < 0 or > QueueNames.MaxTier)))
            return $"tiers must be at most 1000, each 0 to {QueueNames.MaxTier}";
        return CheckDefaults(settings.LeaseMs, settings.ExpireAfterMs, settings.MaxAttempts, settings.Retry)
            ?? settings.Tiers?.Values.Select(l => CheckDefaults(l.LeaseMs, l.ExpireAfterMs, l.MaxAttempts, l.Retry))
                .FirstOrDefault(p => p is not null);
    }

    private static string? CheckDefaults(int? leaseMs, long? expireAfterMs, int? maxAttempts, Contracts.RetryPolicy? retry)
    {
        if (leaseMs is < LeaseLimits.MinMs or > LeaseLimits.MaxMs)
            return $"lease_seconds must be {LeaseLimits.MinMs / 1000} to {LeaseLimits.MaxMs / 1000}";
        if (Outside(expireAfterMs))
            return $"expire_after_seconds must be 1 to {MaxTimeMs / 1000}";
        return maxAttempts is < 1 or > 100 ? "max_attempts must be 1 to 100" : RetryBackoff.Check(retry);
    }

    private static bool Outside(long? ms) => ms is < 1000 or > MaxTimeMs;
}

/// <summary>The settings of a queue are invalid; nothing was changed.</summary>
/// <param name="message">The validation error and its remedy.</param>
public sealed class InvalidQueueException(string message) : Exception(message);
