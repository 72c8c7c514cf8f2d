using System.Text;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>Validation of submitted tasks, shared by all APIs and the bus.</summary>
public static class SubmissionRules
{
    /// <summary>Default attempts of a run (dtq-and-wippy.md A1: 3 retries).</summary>
    public const int DefaultMaxAttempts = 4;

    private static readonly DateTime Earliest = new(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private static readonly DateTime Latest = new(9000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>The validation error of a submission and its remedy, or null.</summary>
    public static string? Check(TaskSubmission task, int maxPayloadBytes)
    {
        if (!QueueNames.IsValid(task.Queue))
            return $"queue must be {QueueNames.Rule}";
        if (task.Tier is < 0 or > QueueNames.MaxTier)
            return $"tier must be 0 to {QueueNames.MaxTier}";
        if (task.Priority is { } priority && !Enum.IsDefined(priority))
            return "priority must be low, normal, high or critical";
        if (task.MaxAttempts is < 1 or > 100)
            return "max_attempts must be 1 to 100";
        if (task.Name is { Length: > 256 })
            return "name must have at most 256 characters";
        if (Outside(task.ScheduledAt) || Outside(task.ExpiresAt))
            return "scheduled_at and expires_at must lie between the years 1970 and 9000";
        if (task.DedupeKey is { Length: 0 or > MaxKey } || task.OrderingKey is { Length: 0 or > MaxKey })
            return $"dedupe_key and ordering_key must have 1 to {MaxKey} characters";
        // Widening the column would change its type under the prepared statements of processes of the previous version.
        if (TenantKey.Of(task.Owner, task.DedupeKey)?.Length > MaxKey || TenantKey.Of(task.Owner, task.OrderingKey)?.Length > MaxKey)
            return $"dedupe_key and ordering_key must have at most {MaxKey - 1 - task.Owner!.Length} characters: the name of the tenant "
                + "is stored with them";
        if ((task.Overwrite & ~AllFields) != OverwriteFields.None || (task.Overwrite != OverwriteFields.None && task.DedupeKey is null))
            return "overwrite names payload, scheduled_at or expires_at, and needs a dedupe_key";
        if (!TaskTags.AreValid(task.Tags))
            return TaskTags.Rule;
        if (task.Owner is { Length: 0 or > 128 })
            return "owner must have 1 to 128 characters";
        if (task.LeaseSeconds is { } lease && !(lease * 1000 >= LeaseLimits.MinMs && lease * 1000 <= LeaseLimits.MaxMs))
            return $"lease_seconds must be {LeaseLimits.MinMs / 1000} to {LeaseLimits.MaxMs / 1000}";
        if (RetryBackoff.Check(task.Retry) is { } problem)
            return problem;
        if (task.Payload is null || Encoding.UTF8.GetByteCount(task.Payload) > maxPayloadBytes)
            return $"payload must have at most {maxPayloadBytes} bytes";
        if (!TextRules.IsClean(task.Payload) || !TextRules.IsClean(task.Name) || !TextRules.IsClean(task.Headers)
            || !TextRules.IsClean(task.Owner)
            || !TextRules.IsClean(task.CompletionActions?.LeaseExpiryResult) || !TextRules.IsClean(task.CompletionActions?.ReplyTo))
            return TextRules.Rule;
        if (!TextRules.IsClean(task.CompletionActions?.CallbackUrl))
            return $"callback_url: {TextRules.Rule}";
        if (!TextRules.IsPlain(task.DedupeKey) || !TextRules.IsPlain(task.OrderingKey))
            return "dedupe_key and ordering_key must not contain control characters, such as U+0000, or half of a surrogate pair";
        return null;
    }

    /// <summary>When a task expires: at the requested time, but no later than the queue allows (moab.md 6); null is never.</summary>
    public static DateTime? Expiry(QueueSettings settings, int tier, DateTime due, DateTime? asked)
    {
        DateTime? latest = (settings.At(tier)?.ExpireAfterMs ?? settings.ExpireAfterMs) is { } ms ? due.AddMilliseconds(ms) : null;
        return asked is null || latest < asked ? latest : asked;
    }

    private const int MaxKey = 256;
    private const OverwriteFields AllFields = OverwriteFields.Payload | OverwriteFields.ScheduledAt | OverwriteFields.ExpiresAt;

    private static bool Outside(DateTime? time) => time is { } t && (t < Earliest || t > Latest);
}

/// <summary>A submission is invalid; nothing was accepted.</summary>
/// <param name="message">The validation error and its remedy.</param>
/// <param name="index">Index of the submission.</param>
public sealed class InvalidSubmissionException(string message, int index = 0) : Exception(message)
{
    /// <summary>Index of the submission, from 0.</summary>
    public int Index { get; } = index;
}
