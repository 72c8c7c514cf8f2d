using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.WebConsole.Overview;

/// <summary>GET /console/overview: the state of the server at one time, as far as the caller may see it.</summary>
/// <param name="At">When it was read.</param>
/// <param name="Health">How the server is.</param>
/// <param name="Queues">At most 200 queues, the fullest first.</param>
/// <param name="QueuesLeftOut">Number of queues beyond these.</param>
/// <param name="LostWorkers">Workers that vanished; null if unknown, and for callers that are no operators.</param>
/// <param name="NewFailures">Open groups of failures; null if unknown, and for callers that are no operators.</param>
/// <param name="Outbox">Events waiting to be published; null for callers that are no operators.</param>
/// <param name="Dependencies">What the server needs; empty for callers that are no operators.</param>
/// <param name="Maintenance">Maintenance jobs; empty for callers that are no operators.</param>
internal sealed record OverviewDetails(
    DateTime At, OverviewHealth Health, IReadOnlyList<OverviewQueue> Queues, int QueuesLeftOut, long? LostWorkers, long? NewFailures,
    OverviewOutbox? Outbox, IReadOnlyList<OverviewDependency> Dependencies, IReadOnlyList<OverviewJob> Maintenance);

/// <summary>How the server is.</summary>
/// <param name="State">ok, degraded or down.</param>
/// <param name="Sentence">The same in words.</param>
internal sealed record OverviewHealth(string State, string Sentence);

/// <summary>A queue.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="Owner">Its owner; null: shared.</param>
/// <param name="Declared">Whether it is declared, and may be changed.</param>
/// <param name="Waiting">Tasks that wait: due, later, or behind others with their ordering key.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="OldestAgeSeconds">How long the oldest due task has waited.</param>
/// <param name="InPerSecond">Tasks that became due, over about a minute; null while unknown.</param>
/// <param name="OutPerSecond">Tasks that completed or failed, over about a minute; null while unknown.</param>
/// <param name="FailedPerMinute">Tasks that failed in the last minute; null while unknown.</param>
/// <param name="DrainSeconds">When nothing will wait any more at these rates; null: never, or unknown.</param>
/// <param name="Paused">Whether it is paused.</param>
/// <param name="Spark">Waiting tasks at up to 60 recent reads, oldest first.</param>
internal sealed record OverviewQueue(
    string Queue, string? Owner, bool Declared, long Waiting, long Running, double OldestAgeSeconds, double? InPerSecond,
    double? OutPerSecond, double? FailedPerMinute, double? DrainSeconds, bool Paused, IReadOnlyList<long> Spark);

/// <summary>Events waiting to be published on the bus.</summary>
/// <param name="Depth">Their number.</param>
/// <param name="OldestAgeSeconds">How long the oldest has waited.</param>
internal sealed record OverviewOutbox(long Depth, double OldestAgeSeconds);

/// <summary>The database, the broker, or a loop of this process.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">ok, degraded or down.</param>
/// <param name="Detail">What is wrong, or null.</param>
internal sealed record OverviewDependency(string Name, string State, string? Detail);

/// <summary>A maintenance job.</summary>
/// <param name="Name">Its name.</param>
/// <param name="LastOutcome">running, succeeded, failed, stopped or interrupted; null: it never ran.</param>
/// <param name="LastAt">Start of the last run.</param>
/// <param name="NextAt">When it runs next.</param>
internal sealed record OverviewJob(string Name, string? LastOutcome, DateTime? LastAt, DateTime? NextAt);

/// <summary>What the overview shows of other parts of the server.</summary>
internal interface IOverviewSource
{
    /// <summary>The maintenance jobs.</summary>
    Task<IReadOnlyList<OverviewJob>> JobsAsync(CancellationToken cancellationToken);
}

[JsonSerializable(typeof(OverviewDetails))]
internal sealed partial class OverviewJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static OverviewJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
