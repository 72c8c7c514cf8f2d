using System.Text;
using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Tasks;

/// <summary>Validates reports of bus workers.</summary>
internal sealed class ReportRules(IOptions<EngineOptions> options)
{
    /// <summary>Maximum number of entries of one kind per message.</summary>
    public const int MaxEntries = 1000;

    private const int MaxWorker = 200;

    /// <summary>The problem with a report as a whole, or null.</summary>
    public static string? Problem(ReportTasks report) =>
        report.Worker is not { Length: >= 1 and <= MaxWorker } || !TextRules.IsPlain(report.Worker)
            ? $"worker must be a name of 1 to {MaxWorker} characters, without control characters or half of a surrogate pair"
        : report.Started?.Count > MaxEntries || report.Heartbeats?.Count > MaxEntries || report.Outcomes?.Count > MaxEntries
            ? $"it has more than {MaxEntries} entries of one kind"
        : null;

    public static string? Problem(AttemptStarted entry) =>
        entry.LeaseSeconds is { } lease && !(lease > 0 && lease * 1000 <= LeaseLimits.MaxMs)
            ? $"lease_seconds must be above 0 and at most {LeaseLimits.MaxMs / 1000}" : null;

    /// <summary>
    /// The problem with a heartbeat, or null. Oversized progress is no problem: it is dropped, and the lease is still renewed.
    /// </summary>
    public static string? Problem(AttemptHeartbeat entry) => entry.Attempt < 1 ? "attempt must be 1 or more" : null;

    public string? Problem(AttemptOutcome entry) =>
        entry.SnoozeSeconds is { } snooze && !(snooze >= 0 && snooze <= TaskService.MaxSnooze.TotalSeconds)
            ? $"snooze_seconds must be 0 to {TaskService.MaxSnooze.TotalSeconds:0}"
        : entry.RetryAfterSeconds is { } wait && !(wait >= 0 && wait <= TaskService.MaxSnooze.TotalSeconds)
            ? $"retry_after_seconds must be 0 to {TaskService.MaxSnooze.TotalSeconds:0}"
        : IsTooLong(entry.Result) || IsTooLong(entry.Error) ? $"result and error must have at most {options.Value.MaxPayloadBytes} bytes"
        : null;

    private bool IsTooLong(string? text) => text is not null && Encoding.UTF8.GetByteCount(text) > options.Value.MaxPayloadBytes;
}
