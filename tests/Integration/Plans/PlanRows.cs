using Npgsql;

namespace TaskQueue.Tests.Integration.Plans;

/// <summary>Rows of a database that has been in use for a while: many finished tasks, fewer waiting ones, some of every kind.</summary>
internal static class PlanRows
{
    public const int Queues = 1000;

    /// <summary>Waiting tasks of a queue; every third queue has five of them with each ordering key.</summary>
    public const int WaitingPerQueue = 20;

    private const int Finished = 200_000;
    private const int Waiting = Queues * WaitingPerQueue;
    private const int Running = 2_000;

    private const string Columns = "id, queue, tier, priority, push, name, max_attempts, default_lease_ms, created_at, due_at";

    // Every twentieth failed, half of them dead letters; a hundredth is past its retention.
    private static readonly string InsertFinished =
        $$"""
        with submitted as (
            insert into tasks ({{Columns}}, payload, tags)
            select gen_random_uuid(), 'q' || n % {{Queues}}, n % 2, 1 + n % 4, false, 'work', 4, 15000, t, t, '{"text":"hello world"}',
                case when n % 5 = 0 then 't' || n % 100 end
            from generate_series(1, {{Finished}}) as n cross join lateral (select now() - n * interval '1 second' as t) as at
            returning *),
        numbered as (select row_number() over () as n, * from submitted)
        insert into outcomes (id, state, queue, tier, attempt, attempts_left, lease_ms, due_at, started_at, finished_at, result, dead,
            delete_at)
        select id, case when n % 20 = 0 then 6 when n % 50 = 1 then 8 when n % 50 = 2 then 9 else 5 end, queue, tier, 1, 3, 15000, due_at,
            created_at, created_at, '"done"', n % 40 = 0,
            case when n % 200 = 40 then now() - interval '1 hour' when n % 100 = 7 then now() - interval '30 minutes'
                else now() + interval '6 days' end
        from numbered
        """;

    private static readonly string InsertWaiting =
        $$"""
        with submitted as (
            insert into tasks ({{Columns}}, payload, dedupe_key, ordering_key)
            select gen_random_uuid(), 'q' || q, n % 2, 1 + n % 4, q % 10 = 9, 'work', 4, 15000, t, t, '{"text":"hello world"}',
                case when q % 3 = 1 then 'k' || m end, case when q % 3 = 0 and q % 10 < 9 then 't' || m / 5 end
            from generate_series(0, {{Waiting - 1}}) as n
            cross join lateral (select n % {{Queues}} as q, n / {{Queues}} as m) as place
            cross join lateral (select now() - interval '1 hour' + n * interval '0.2 seconds' as t) as at
            returning *),
        numbered as (
            select row_number() over (order by due_at) - 1 as n,
                row_number() over (partition by queue, ordering_key order by due_at, created_at, id) as place, * from submitted),
        keys as (
            insert into dedupe_keys (queue, dedupe_key, task_id) select queue, dedupe_key, id from submitted where dedupe_key is not null)
        insert into ready (state, attempt, attempts_left, lease_ms, octets, expires_at, dispatch_at, dedupe_key, ordering_key, blocked,
            {{Columns}})
        select case when n % 7 = 0 then 7 else 3 end, 0, 4, 0, 22, case when n % 10 = 0 then due_at + interval '1 day' end,
            case when push then due_at end, dedupe_key, ordering_key, ordering_key is not null and place > 1, {{Columns}}
        from numbered
        """;

    private static readonly string InsertRunning =
        $$"""
        with submitted as (
            insert into tasks ({{Columns}}, payload)
            select gen_random_uuid(), 'q' || n % {{Queues}}, n % 2, 1 + n % 4, false, 'work', 4, 15000, now(), now(),
                '{"text":"hello world"}'
            from generate_series(0, {{Running - 1}}) as n
            returning *),
        numbered as (select row_number() over () - 1 as n, * from submitted)
        insert into running (attempt, attempts_left, lease_ms, octets, started_at, lease_until, worker, limited, {{Columns}})
        select 1, 3, 15000, 22, now(), now() + (n - 100) * interval '0.1 seconds', 'w', n % {{Queues}} < 100, {{Columns}} from numbered
        """;

    // Two events per task, of 50 tasks a row; the last thousand rows are not published yet.
    private const string InsertEvents =
        """
        insert into outbox (partition_id, at, type, queue, tier, dispatch, frees, ids, attempts)
        select (random() * 63)::int, max(created_at), type, queue, 0, false, false, array_agg(id), array_agg(0)
        from tasks cross join (values (1), (3)) as e(type) group by queue, type, extract(epoch from created_at)::bigint / 50
        order by 2;
        update outbox_partitions set published_to = (select max(id) - 1000 from outbox);
        insert into attempts (task_id, attempt, type, started_at, ended_at)
        select id, 1, 5, created_at, created_at from tasks where tier = 1;
        insert into task_tags (tag, task_id, queue) select tags, id, queue from tasks where tags is not null;
        """;

    // One in a hundred is due.
    private static readonly string InsertSchedules =
        $$"""
        insert into schedules (queue, name, version, settings, created_at, updated_at, next_at)
        select 'q' || n, 's', 1, '{"Cron":"0 0 * * *","TimeZone":"UTC"}', now(), now(), now() + (n - {{Queues / 100}}) * interval '1 minute'
        from generate_series(0, {{Queues - 1}}) as n
        """;

    // One in a hundred waits, and half of those are due.
    private const string InsertCallbacks =
        """
        insert into callbacks (subject_id, url, body, state, attempts, due_at, log, created_at, finished_at, owner, origin)
        select gen_random_uuid(), 'https://h' || n % 50 || '.example/hook', '{"text":"hello world"}',
            case when n % 100 = 0 then 0 else 1 end, 1,
            case when n % 200 = 0 then now() + interval '1 minute' else t end, '[]', t, case when n % 100 > 0 then t end,
            'o' || n % 20, 'https://h' || n % 50 || '.example:443'
        from generate_series(1, 200000) as n cross join lateral (select now() - n * interval '5 seconds' as t) as at
        """;

    private static readonly string InsertQueues =
        $"""
        insert into queue_limits (queue, bucket_base) select 'q' || n, 0 from generate_series(0, 99) as n;
        insert into queue_counts (queue, tier, partition_id, type, owner, count)
        select 'q' || n, 0, s, 3, '', 10 from generate_series(0, {Queues - 1}) as n cross join generate_series(0, 3) as s;
        """;

    // No other job gathers statistics while plans are read, and ours cover all rows instead of a random sample.
    private static readonly string StandStill = string.Join("; ",
        new[] { "tasks", "ready", "running", "outcomes", "outbox", "attempts", "task_tags", "callbacks", "dedupe_keys", "ordering_keys" }
            .Select(table => $"alter table {table} set (autovacuum_enabled = false)"));

    private const string AllRows = "-c default_statistics_target=1000";

    /// <param name="connectionString">An empty database.</param>
    /// <param name="analyzed">Whether its statistics are those of the rows, or those of the empty tables.</param>
    public static async Task InsertAsync(string connectionString, bool analyzed = true)
    {
        var all = new NpgsqlConnectionStringBuilder(connectionString) { Options = AllRows };
        await using var source = NpgsqlDataSource.Create(all.ConnectionString);
        foreach (var sql in new[] { StandStill, analyzed ? "" : "vacuum analyze", InsertFinished, InsertWaiting, InsertRunning,
            InsertEvents, InsertQueues, InsertSchedules, InsertCallbacks, analyzed ? "vacuum analyze" : "" })
        {
            if (sql.Length == 0)
                continue;
            await using var command = source.CreateCommand(sql);
            command.CommandTimeout = 300; // other tests may keep the machine busy
            await command.ExecuteNonQueryAsync();
        }
    }
}
