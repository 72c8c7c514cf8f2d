using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Workers;

/// <summary>What a worker tells about itself with a claim; every member is optional.</summary>
/// <param name="Version">Version of its program, at most 100 characters.</param>
/// <param name="Host">Its machine, at most 200 characters.</param>
/// <param name="Slots">Tasks that it runs at a time, 1 to 100,000.</param>
/// <param name="Instance">Random text for each start of the worker, at most 64 characters: a restarted worker is not draining any
/// more.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ClaimInfo(string? Version, string? Host, int? Slots, string? Instance);

/// <summary>POST /workers/stopped.</summary>
/// <param name="Worker">Name of the worker.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record StoppedBody(string? Worker);

/// <summary>GET /workers.</summary>
/// <param name="Workers">The latest started first.</param>
/// <param name="NextCursor">The <c>cursor</c> of the next page; null at the end.</param>
internal sealed record WorkerPage(IReadOnlyList<WorkerDetails> Workers, string? NextCursor);

/// <summary>A worker.</summary>
/// <param name="Id">Identifies it in routes; it depends on its name and credential only.</param>
/// <param name="Name">Its name.</param>
/// <param name="Version">Version of its program; null if it does not say.</param>
/// <param name="Host">Its machine; null if it does not say.</param>
/// <param name="Transport"><c>http</c>, <c>grpc</c>, <c>bus</c>, <c>in_process</c>, <c>bella</c> or <c>moab</c>.</param>
/// <param name="Queues">Queues that it claims from: <c>name</c> or <c>name:tier</c>. On the bus: those of its tasks so far.</param>
/// <param name="Slots">Tasks that it runs at a time; null if it does not say.</param>
/// <param name="Running">Tasks that it holds now.</param>
/// <param name="LastSeenAt">Last claim, heartbeat or report, to a few seconds.</param>
/// <param name="StartedAt">First contact since it started.</param>
/// <param name="State"><c>active</c>, <c>draining</c>, <c>lost</c> or <c>stopped</c>.</param>
/// <param name="LostTasks">What became of tasks whose leases expired in its hands; null if there are none.</param>
/// <param name="Owner">Tenant of its key; null for the server's own workers.</param>
internal sealed record WorkerDetails(
    string Id, string Name, string? Version, string? Host, string Transport, IReadOnlyList<string> Queues, int? Slots, int Running,
    DateTime LastSeenAt, DateTime StartedAt, string State, LostWork? LostTasks, string? Owner)
{
    public static WorkerDetails Of(WorkerRecord worker, int running) => new(
        worker.Id, worker.Name, worker.Version, worker.Host, worker.Transport ?? WorkerContact.Http,
        worker.Queues.Split(' ', StringSplitOptions.RemoveEmptyEntries), worker.Slots, running, worker.LastSeenAt, worker.StartedAt,
        StateOf(worker),
        worker.State == WorkerState.Lost || worker.LostRetried + worker.LostFailed > 0
            ? new LostWork(worker.LostRetried, worker.LostFailed) : null,
        worker.Owner);

    public static string StateOf(WorkerRecord worker) => worker switch
    {
        { State: WorkerState.Lost } => "lost",
        { State: WorkerState.Stopped } => "stopped",
        { Draining: true } => "draining",
        _ => "active",
    };
}

/// <summary>Tasks whose leases expired.</summary>
/// <param name="Retried">Number that were queued for another attempt.</param>
/// <param name="Failed">Number that ended, because no attempt was left.</param>
internal sealed record LostWork(int Retried, int Failed);

/// <summary>POST /workers/{id}/drain.</summary>
internal sealed record Drained(string Id, string State);

[JsonSerializable(typeof(WorkerPage))]
[JsonSerializable(typeof(WorkerDetails))]
[JsonSerializable(typeof(Drained))]
[JsonSerializable(typeof(StoppedBody))]
internal sealed partial class WorkerListJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static WorkerListJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
