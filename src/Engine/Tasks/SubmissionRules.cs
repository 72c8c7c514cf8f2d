using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>What every door and the bus demand of a submitted task.</summary>
public static class SubmissionRules
{
    /// <summary>Attempts of a run where the submission says nothing (dtq-and-wippy.md A1: 3 retries).</summary>
    public const int DefaultMaxAttempts = 4;

    private static readonly DateTime Earliest = new(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private static readonly DateTime Latest = new(9000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>What is wrong with a submission and what to change, or null.</summary>
    public static string? Check(TaskSubmission task, int maxPayloadBytes)
    {
        if (!QueueNames.IsValid(task.Queue))
            return $"queue must be {QueueNames.Rule}";
        if (task.Level is < 0 or > QueueNames.MaxLevel)
            return $"level must be 0 to {QueueNames.MaxLevel}";
        if (!Enum.IsDefined(task.Priority))
            return "priority must be low, normal, high or critical";
        if (task.MaxAttempts is < 1 or > 100)
            return "max_attempts must be 1 to 100";
        if (task.Name is { Length: > 256 })
            return "name must have at most 256 characters";
        if (Outside(task.ScheduledAt) || Outside(task.ExpiresAt))
            return "scheduled_at and expires_at must lie between the years 1970 and 9000";
        if (task.Payload is null || System.Text.Encoding.UTF8.GetByteCount(task.Payload) > maxPayloadBytes)
            return $"payload must have at most {maxPayloadBytes} bytes";
        // PostgreSQL stores no NUL in text.
        if (HasNul(task.Payload) || HasNul(task.Name) || HasNul(task.Headers))
            return "text must not contain the character U+0000";
        return null;
    }

    private static bool HasNul(string? text) => text is not null && text.Contains('\0', StringComparison.Ordinal);

    private static bool Outside(DateTime? time) => time is { } t && (t < Earliest || t > Latest);
}

/// <summary>A submission broke a rule; nothing was accepted.</summary>
/// <param name="message">What is wrong and what to change.</param>
public sealed class InvalidSubmissionException(string message) : Exception(message);
