using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;
using TaskQueue.Scheduler.Maintenance;

namespace TaskQueue.Api.Maintenance;

/// <summary>A maintenance job.</summary>
/// <param name="Name">Name of the job.</param>
/// <param name="Description">What it does.</param>
/// <param name="IntervalSeconds">Interval between runs.</param>
/// <param name="LastRunAt">Start of the last run; null if there was none.</param>
/// <param name="NextRunAt">Next due time; null before the first process with the role scheduler has started.</param>
/// <param name="Outcome">Outcome of the last run: running, succeeded, failed, stopped or interrupted.</param>
/// <param name="Error">Why it failed.</param>
/// <param name="DurationMs">Duration of the last run.</param>
/// <param name="Removed">Number of rows or files removed.</param>
/// <param name="LastSuccessAt">Last successful run.</param>
/// <param name="Process">Host and process id of the last run.</param>
internal sealed record MaintenanceDetails(
    string Name, string Description, double IntervalSeconds, DateTime? LastRunAt, DateTime? NextRunAt, string? Outcome, string? Error,
    long? DurationMs, long? Removed, DateTime? LastSuccessAt, string? Process)
{
    public static MaintenanceDetails Of(MaintenanceStatus job) => new(
        job.Name, job.Description, job.Interval.TotalSeconds, job.LastRunAt, job.NextRunAt, job.Outcome, job.Error, job.DurationMs,
        job.Removed, job.LastSuccessAt, job.Process);
}

/// <summary>GET /maintenance.</summary>
internal sealed record MaintenanceList(IReadOnlyList<MaintenanceDetails> Jobs);

/// <summary>Response of POST /maintenance/{job}/run: queued, or running if a run is already in progress.</summary>
internal sealed record MaintenanceRequested(string Name, string Status)
{
    /// <summary>Status of a job that is already running.</summary>
    public const string Running = "running";
}

[JsonSerializable(typeof(MaintenanceList))]
[JsonSerializable(typeof(MaintenanceRequested))]
internal sealed partial class MaintenanceJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static MaintenanceJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
