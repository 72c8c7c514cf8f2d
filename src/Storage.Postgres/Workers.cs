using TaskQueue.Engine.Workers;
using TaskQueue.Storage.Workers;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore : IWorkerWrites
{
    private const string Another = "coalesce(excluded.instance <> w.instance, false)";

    // Another process may still know the start before this one, from claims, and hear of the worker only by reports.
    private const string Older = $"({Another} and excluded.started_at <= w.started_at)";

    private const string Restarted =
        $"(({Another} and excluded.started_at > w.started_at) or (w.state = 2 and excluded.last_seen_at > w.last_seen_at))";

    private const string Stopped = "(excluded.state = 2 and excluded.last_seen_at >= w.last_seen_at)";

    private const string WriteWorkersSql =
        $"""
        insert into workers as w (id, name, owner, credential, transport, version, host, slots, instance, queues, started_at, last_seen_at,
            state, draining, lost_retried, lost_failed)
        select r.id, r.name, r.owner, r.credential, r.transport, r.version, r.host, r.slots, r.instance, coalesce(r.queues, ''),
            r.started_at, r.last_seen_at, case when r.stopped then 2 else 0 end, false, 0, 0
        from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) as r(id, name, owner, credential, transport, version, host,
            slots, instance, queues, started_at, last_seen_at, stopped)
        where r.transport is not null or exists (select 1 from workers k where k.id = r.id)
        order by r.id
        on conflict (id) do update set
            transport = case when {Older} then w.transport else coalesce(excluded.transport, w.transport) end,
            version = case when excluded.transport is null or {Older} then w.version else excluded.version end,
            host = case when excluded.transport is null or {Older} then w.host else excluded.host end,
            slots = case when excluded.transport is null or {Older} then w.slots else excluded.slots end,
            instance = case when {Older} then w.instance else coalesce(excluded.instance, w.instance) end,
            queues = case when excluded.queues = '' or {Older} then w.queues else excluded.queues end,
            started_at = case when {Restarted} then excluded.started_at else w.started_at end,
            last_seen_at = greatest(excluded.last_seen_at, w.last_seen_at),
            state = case when {Stopped} then 2 when excluded.last_seen_at > w.last_seen_at then 0 else w.state end,
            draining = w.draining and not ({Stopped} or {Restarted}),
            lost_retried = case when {Restarted} then 0 else w.lost_retried end,
            lost_failed = case when {Restarted} then 0 else w.lost_failed end,
            lost_at = case when {Restarted} then null else w.lost_at end
        """;

    public async Task WriteWorkersAsync(IReadOnlyList<WorkerSighting> sightings, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand(WriteWorkersSql);
        Add(s => s.Id);
        Add(s => s.Key.Name);
        Add(s => s.Key.Owner);
        Add(s => s.Key.Credential);
        Add(s => s.Contact?.Transport);
        Add(s => s.Contact?.Version);
        Add(s => s.Contact?.Host);
        Add(s => s.Contact?.Slots);
        Add(s => s.Contact?.Instance);
        Add(s => s.Queues);
        Add(s => s.StartedAt);
        Add(s => s.SeenAt);
        Add(s => s.HasStopped);
        await command.ExecuteNonQueryAsync(cancellationToken);

        void Add<T>(Func<WorkerSighting, T> value) => command.Parameters.Add(Value<T[]>([.. sightings.Select(value)]));
    }
}
