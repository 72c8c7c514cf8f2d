using System.Globalization;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Outcomes of a run.</summary>
internal static class MaintenanceOutcomes
{
    public const string Running = "running", Succeeded = "succeeded", Failed = "failed", Stopped = "stopped", Interrupted = "interrupted";
}

/// <summary>The last run of a job, in progress or finished. Shared by all processes.</summary>
internal sealed record MaintenanceState
{
    /// <summary>The run that holds the job; null if none does.</summary>
    public string? Holder { get; init; }

    /// <summary>Hangfire's id of that run. If the same id begins again, its first process is gone.</summary>
    public string? JobId { get; init; }

    /// <summary>When the holder's lease expires unless renewed.</summary>
    public DateTime? HeldUntil { get; init; }

    /// <summary>Host and process id of the last run.</summary>
    public string? Process { get; init; }

    public DateTime? StartedAt { get; init; }

    public string? Outcome { get; init; }

    public string? Error { get; init; }

    /// <summary>Whether the error is a transient database error: unavailable or busy.</summary>
    public bool IsTransient { get; init; }

    public long? DurationMs { get; init; }

    public long? Removed { get; init; }

    public DateTime? SucceededAt { get; init; }

    /// <summary>Whether a run holds the job.</summary>
    public bool IsHeld(DateTime now) => Holder is not null && HeldUntil > now;

    /// <summary><see cref="Outcome"/>, or interrupted if the run's process is gone.</summary>
    public string? OutcomeAt(DateTime now) =>
        Outcome == MaintenanceOutcomes.Running && !IsHeld(now) ? MaintenanceOutcomes.Interrupted : Outcome;

    public static MaintenanceState Read(IReadOnlyDictionary<string, string>? hash)
    {
        return new MaintenanceState
        {
            Holder = Text(nameof(Holder)),
            JobId = Text(nameof(JobId)),
            HeldUntil = Time(nameof(HeldUntil)),
            Process = Text(nameof(Process)),
            StartedAt = Time(nameof(StartedAt)),
            Outcome = Text(nameof(Outcome)),
            Error = Text(nameof(Error)),
            IsTransient = Text(nameof(IsTransient)) is not null,
            DurationMs = Number(nameof(DurationMs)),
            Removed = Number(nameof(Removed)),
            SucceededAt = Time(nameof(SucceededAt)),
        };

        string? Text(string field) => hash?.GetValueOrDefault(field) is { Length: > 0 } text ? text : null;

        long? Number(string field) =>
            long.TryParse(Text(field), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

        DateTime? Time(string field) =>
            DateTime.TryParse(Text(field), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var time) ? time : null;
    }

    /// <summary>All fields as text; null is written as an empty string.</summary>
    public Dictionary<string, string> ToHash()
    {
        return new(StringComparer.Ordinal)
        {
            [nameof(Holder)] = Holder ?? "",
            [nameof(JobId)] = JobId ?? "",
            [nameof(HeldUntil)] = Time(HeldUntil),
            [nameof(Process)] = Process ?? "",
            [nameof(StartedAt)] = Time(StartedAt),
            [nameof(Outcome)] = Outcome ?? "",
            [nameof(Error)] = Error ?? "",
            [nameof(IsTransient)] = IsTransient ? "1" : "",
            [nameof(DurationMs)] = Number(DurationMs),
            [nameof(Removed)] = Number(Removed),
            [nameof(SucceededAt)] = Time(SucceededAt),
        };

        static string Time(DateTime? time) => time?.ToString("O", CultureInfo.InvariantCulture) ?? "";

        static string Number(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "";
    }
}
