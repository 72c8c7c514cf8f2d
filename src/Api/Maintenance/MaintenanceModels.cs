using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;
using TaskQueue.Scheduler.Maintenance;

namespace TaskQueue.Api.Maintenance;

/// <summary>A job that recurs.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it does.</param>
/// <param name="IntervalSeconds">How often it runs.</param>
/// <param name="LastRunAt">When the last run began; null where there was none.</param>
/// <param name="NextRunAt">When it is due; null before the first process with the role scheduler has started.</param>
/// <param name="Outcome">Of the last run: running, succeeded, failed, stopped or interrupted.</param>
/// <param name="Error">Why it failed.</param>
/// <param name="DurationMs">How long it took.</param>
/// <param name="Removed">Number of rows or files that it removed.</param>
/// <param name="LastSuccessAt">When a run last succeeded.</param>
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

/// <summary>Answer of POST /maintenance/{job}/run: queued, or running where a run is under way already.</summary>
internal sealed record MaintenanceRequested(string Name, string Status)
{
    /// <summary>The status of a job that runs already.</summary>
    public const string Running = "running";
}

[JsonSerializable(typeof(MaintenanceList))]
[JsonSerializable(typeof(MaintenanceRequested))]
internal sealed partial class MaintenanceJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static MaintenanceJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
