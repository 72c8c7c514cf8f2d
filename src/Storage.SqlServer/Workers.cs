using TaskQueue.Engine.Workers;
using TaskQueue.Storage.Workers;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore : IWorkerWrites
{
    // Another process may still know the start before this one, from claims, and hear of the worker only by reports.
    private const string Older = "(r.instance <> w.instance and r.started_at <= w.started_at)";

    private const string Restarted =
        "((r.instance <> w.instance and r.started_at > w.started_at) or (w.state = 2 and r.last_seen_at > w.last_seen_at))";

    private const string Stopped = "(r.stopped = 1 and r.last_seen_at >= w.last_seen_at)";

    private static readonly string SightingRows = Rows.Table("@rows",
        "id nvarchar(32)", "name nvarchar(200)", $"owner {SqlServerTaskDbContext.ExactType}", "credential nvarchar(256)",
        "transport nvarchar(16)", "version nvarchar(100)", "host nvarchar(200)", "slots int", "instance nvarchar(64)",
        "queues nvarchar(max)", "started_at datetime2(6)", "last_seen_at datetime2(6)", "stopped bit");

    private static readonly Statement WriteWorkersSql = new(
        $"""
        {AllOrNothing}
        begin transaction;
        update w set
            transport = case when {Older} then w.transport else coalesce(r.transport, w.transport) end,
            version = case when r.transport is null or {Older} then w.version else r.version end,
            host = case when r.transport is null or {Older} then w.host else r.host end,
            slots = case when r.transport is null or {Older} then w.slots else r.slots end,
            instance = case when {Older} then w.instance else coalesce(r.instance, w.instance) end,
            queues = case when {Older} then w.queues else coalesce(r.queues, w.queues) end,
            started_at = case when {Restarted} then r.started_at else w.started_at end,
            last_seen_at = case when r.last_seen_at > w.last_seen_at then r.last_seen_at else w.last_seen_at end,
            state = case when {Stopped} then 2 when r.last_seen_at > w.last_seen_at then 0 else w.state end,
            draining = case when {Stopped} or {Restarted} then 0 else w.draining end,
            lost_retried = case when {Restarted} then 0 else w.lost_retried end,
            lost_failed = case when {Restarted} then 0 else w.lost_failed end,
            lost_at = case when {Restarted} then null else w.lost_at end
        from {SightingRows} as r inner loop join workers w with (updlock, holdlock, rowlock, forceseek) on w.id = r.id;
        insert into workers (id, name, owner, credential, transport, version, host, slots, instance, queues, started_at, last_seen_at,
            state, draining, lost_retried, lost_failed)
        select r.id, r.name, r.owner, r.credential, r.transport, r.version, r.host, r.slots, r.instance, coalesce(r.queues, N''),
            r.started_at, r.last_seen_at, case when r.stopped = 1 then 2 else 0 end, 0, 0, 0
        from {SightingRows} as r
        where r.transport is not null and not exists (select 1 from workers k with (updlock, holdlock, rowlock) where k.id = r.id);
        commit;
        """,
        Json("@rows"));

    public async Task WriteWorkersAsync(IReadOnlyList<WorkerSighting> sightings, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // In order of ids, so that the flushes of two processes do not deadlock.
        var rows = sightings.OrderBy(s => s.Id, StringComparer.Ordinal).Select(s => (object?[])[
            s.Id, s.Key.Name, s.Key.Owner, s.Key.Credential, s.Contact?.Transport, s.Contact?.Version, s.Contact?.Host, s.Contact?.Slots,
            s.Contact?.Instance, s.Queues, s.StartedAt, s.SeenAt, s.HasStopped]);
        await RunAsync(WriteWorkersSql, Rows.Json(rows));
    }
}
