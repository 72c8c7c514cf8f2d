using System.Globalization;
using TaskQueue.Api.Tasks;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Queues;

/// <summary>Maps between the API's model and the engine's.</summary>
internal static class QueueMapping
{
    /// <exception cref="ApiException">400.</exception>
    public static QueueSettings ToSettings(QueueBody body) => new()
    {
        Description = body.Description ?? "",
        LeaseMs = ToIntMs(body.LeaseSeconds, "lease_seconds"),
        ExpireAfterMs = ToMs(body.ExpireAfterSeconds, "expire_after_seconds"),
        MaxAttempts = body.MaxAttempts,
        Retry = RetryBodies.ToPolicy(body.Retry),
        MaxCrashes = body.MaxCrashes,
        MaxRunning = body.MaxRunning ?? 0,
        Rate = body.Rate is { } rate ? new RateLimit(rate.Tokens ?? 0, ToMs(rate.IntervalSeconds ?? 1, "interval_seconds")!.Value) : null,
        Paused = body.Paused ?? false,
        SubmitterToken = body.SubmitterToken ?? false,
        DeadLetters = body.DeadLetters is { } deadLetters
            ? new DeadLetterSettings(
                deadLetters.Enabled ?? true, deadLetters.MaxSize ?? 0, ToMs(deadLetters.RetentionSeconds, "retention_seconds"))
            : new DeadLetterSettings(),
        KeepFinishedMs = ToMs(body.KeepFinishedSeconds, "keep_finished_seconds"),
        Events = body.Events switch
        {
            null or "all" => EventPolicy.All,
            "terminal" => EventPolicy.Terminal,
            "none" => EventPolicy.None,
            _ => throw Wrong("events must be all, terminal or none"),
        },
        Tiers = body.Tiers?.ToDictionary(t => ToTier(t.Key), t => ToDefaults(t.Value ?? throw Wrong("a tier must be an object"))),
    };

    public static QueueDetails ToDetails(QueueRecord queue, QueueStats? stats = null, DateTime now = default, long later = 0)
    {
        var s = queue.Settings;
        return new QueueDetails(
            queue.Name, Word(queue.Delivery), queue.Version, queue.Version == 0 ? null : queue.CreatedAt,
            queue.Version == 0 ? null : queue.UpdatedAt, s.Description, s.LeaseMs / 1000.0, s.ExpireAfterMs / 1000.0, s.MaxAttempts,
            RetryBodies.ToBody(s.Retry), s.CrashLimit, s.MaxRunning,
            s.Rate is { } rate ? new RateBody(rate.MaxTokens, rate.IntervalMs / 1000.0) : null, s.Paused,
            new DeadLettersBody(s.DeadLetters.Enabled, s.DeadLetters.MaxSize, s.DeadLetters.RetentionMs / 1000.0),
            s.KeepFinishedMs / 1000.0,
            s.Events.ToString().ToLowerInvariant(),
            s.Tiers?.ToDictionary(t => t.Key.ToString(CultureInfo.InvariantCulture), t => ToBody(t.Value)),
            s.SubmitterToken,
            stats is null ? null
                : new QueueCounts(stats.Waiting, later, stats.Running, stats.Dead, stats.Completed, stats.Expired,
                    (now - stats.OldestDueAt)?.TotalSeconds));
    }

    public static string Word(Delivery delivery) => delivery.ToString().ToLowerInvariant();

    public static ApiException Wrong(string message) => new(400, "invalid_request", message);

    private static long? ToMs(double? seconds, string name) =>
        seconds is not { } s ? null : s * 1000 is > -int.MaxValue and < 1e15 ? (long)(s * 1000) : throw Wrong($"{name} is out of range");

    private static int? ToIntMs(double? seconds, string name) =>
        ToMs(seconds, name) is not { } ms ? null : ms <= int.MaxValue ? (int)ms : throw Wrong($"{name} is out of range");

    /// <summary>Parses a number without leading zeros, so that no two names are of one tier.</summary>
    private static int ToTier(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var tier)
        && text.Length == tier.ToString(CultureInfo.InvariantCulture).Length
            ? tier : throw Wrong($"tiers: '{text}' is not the number of a tier, such as 1");

    private static TierDefaults ToDefaults(TierBody body) => new()
    {
        LeaseMs = ToIntMs(body.LeaseSeconds, "lease_seconds"),
        ExpireAfterMs = ToMs(body.ExpireAfterSeconds, "expire_after_seconds"),
        MaxAttempts = body.MaxAttempts,
        Retry = RetryBodies.ToPolicy(body.Retry),
        Priority = body.Priority is null ? null : TaskMapping.PriorityOf(body.Priority) ?? throw Wrong(TaskMapping.PriorityRule),
    };

    private static TierBody ToBody(TierDefaults tier) =>
        new(tier.LeaseMs / 1000.0, tier.ExpireAfterMs / 1000.0, tier.MaxAttempts, RetryBodies.ToBody(tier.Retry),
            tier.Priority is { } priority ? TaskMapping.Word(priority) : null);
}
