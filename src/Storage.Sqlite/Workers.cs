using System.Text.Json.Nodes;
using TaskQueue.Engine;
using TaskQueue.Engine.Workers;
using TaskQueue.Storage.Workers;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore : IWorkerWrites
{
    private const string Another = "coalesce(excluded.instance <> workers.instance, 0)";

    // Another process may still know the start before this one, from claims, and hear of the worker only by reports.
    private const string Older = $"({Another} and excluded.started_at <= workers.started_at)";

    private const string Restarted =
        $"(({Another} and excluded.started_at > workers.started_at) or (workers.state = 2 "
            + "and excluded.last_seen_at > workers.last_seen_at))";

    private const string Stopped = "(excluded.state = 2 and excluded.last_seen_at >= workers.last_seen_at)";

    private const string WriteWorkersSql =
        $"""
        insert into workers (id, name, owner, credential, transport, version, host, slots, instance, queues, started_at, last_seen_at,
            state, draining, lost_retried, lost_failed)
        select r.value ->> 0, r.value ->> 1, r.value ->> 2, r.value ->> 3, r.value ->> 4, r.value ->> 5, r.value ->> 6, r.value ->> 7,
            r.value ->> 8, coalesce(r.value ->> 9, ''), r.value ->> 10, r.value ->> 11, case when r.value ->> 12 then 2 else 0 end, 0, 0, 0
        from json_each(@rows) as r
        where r.value ->> 4 is not null or exists (select 1 from workers k where k.id = r.value ->> 0)
        on conflict (id) do update set
            transport = case when {Older} then workers.transport else coalesce(excluded.transport, workers.transport) end,
            version = case when excluded.transport is null or {Older} then workers.version else excluded.version end,
            host = case when excluded.transport is null or {Older} then workers.host else excluded.host end,
            slots = case when excluded.transport is null or {Older} then workers.slots else excluded.slots end,
            instance = case when {Older} then workers.instance else coalesce(excluded.instance, workers.instance) end,
            queues = case when excluded.queues = '' or {Older} then workers.queues else excluded.queues end,
            started_at = case when {Restarted} then excluded.started_at else workers.started_at end,
            last_seen_at = max(excluded.last_seen_at, workers.last_seen_at),
            state = case when {Stopped} then 2 when excluded.last_seen_at > workers.last_seen_at then 0 else workers.state end,
            draining = workers.draining and not ({Stopped} or {Restarted}),
            lost_retried = case when {Restarted} then 0 else workers.lost_retried end,
            lost_failed = case when {Restarted} then 0 else workers.lost_failed end,
            lost_at = case when {Restarted} then null else workers.lost_at end
        """;

    public Task WriteWorkersAsync(IReadOnlyList<WorkerSighting> sightings, CancellationToken cancellationToken)
    {
        var rows = new JsonArray([.. sightings.Select(s => new JsonArray(
            s.Id, s.Key.Name, s.Key.Owner, s.Key.Credential, s.Contact?.Transport, s.Contact?.Version, s.Contact?.Host, s.Contact?.Slots,
            s.Contact?.Instance, s.Queues, Micros.FromTime(s.StartedAt), Micros.FromTime(s.SeenAt), s.HasStopped ? 1 : 0))]);
        return UseAsync(() => Execute(WriteWorkersSql, ("@rows", rows.ToJsonString())), write: true);
    }
}
