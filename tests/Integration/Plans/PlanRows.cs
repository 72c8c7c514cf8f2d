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

    private const string Columns =
        "id, state, queue, tier, priority, push, name, payload, attempt, attempts_left, max_attempts, lease_ms, default_lease_ms, "
            + "created_at, due_at";

    // Every twentieth failed, half of them dead letters; a hundredth is past its retention.
    private static readonly string InsertFinished =
        $$"""
        insert into tasks ({{Columns}}, started_at, finished_at, result, dead, delete_at, blocked, limited)
        select gen_random_uuid(), case when n % 20 = 0 then 6 when n % 50 = 1 then 8 when n % 50 = 2 then 9 else 5 end,
            'q' || n % {{Queues}}, n % 2, 1 + n % 4,
            false, 'work', '{"text":"hello world"}', 1, 3, 4, 15000, 15000, t, t, t, t, '"done"', n % 40 = 0,
            case when n % 100 = 7 then now() - interval '1 minute' else now() + interval '6 days' end, false, false
        from generate_series(1, {{Finished}}) as n cross join lateral (select now() - n * interval '1 second' as t) as at
        """;

    private static readonly string InsertWaiting =
        $$"""
        insert into tasks ({{Columns}}, expires_at, dispatch_at, dedupe_key, ordering_key, blocked, dead, limited)
        select gen_random_uuid(), case when n % 7 = 0 then 7 else 3 end, 'q' || q, n % 2, 1 + n % 4, q % 10 = 9, 'work',
            '{"text":"hello world"}', 0, 4, 4, 0, 15000, t, t,
            case when n % 10 = 0 then t + interval '1 day' end, case when q % 10 = 9 then t end,
            case when q % 3 = 1 then 'k' || m end, case when q % 3 = 0 and q % 10 < 9 then 't' || m / 5 end,
            q % 3 = 0 and q % 10 < 9 and m % 5 > 0, false, false
        from generate_series(0, {{Waiting - 1}}) as n
        cross join lateral (select n % {{Queues}} as q, n / {{Queues}} as m) as place
        cross join lateral (select now() - interval '1 hour' + n * interval '0.2 seconds' as t) as at
        """;

    private static readonly string InsertRunning =
        $$"""
        insert into tasks ({{Columns}}, started_at, lease_until, worker, limited, blocked, dead)
        select gen_random_uuid(), 4, 'q' || n % {{Queues}}, n % 2, 1 + n % 4, false, 'work', '{"text":"hello world"}',
            1, 3, 4, 15000, 15000, now(), now(), now(), now() + (n - 100) * interval '0.1 seconds', 'w', n % {{Queues}} < 100, false, false
        from generate_series(0, {{Running - 1}}) as n
        """;

    // Two events per task; the last thousand are not published yet.
    private const string InsertEvents =
        """
        insert into task_events (stream, task_id, type, queue, tier, attempt, at, dispatch, frees)
        select (random() * 63)::int, id, type, queue, tier, attempt, created_at, false, false
        from tasks cross join (values (1), (3)) as e(type);
        update event_streams s set cursor = (select max(id) - 1000 from task_events);
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
        insert into queue_counts (queue, tier, stream, type, count)
        select 'q' || n, 0, s, 3, 10 from generate_series(0, {Queues - 1}) as n cross join generate_series(0, 3) as s;
        """;

    // No other job gathers statistics while plans are read, and ours cover all rows instead of a random sample.
    private const string StandStill = "alter table tasks set (autovacuum_enabled = false); "
        + "alter table task_events set (autovacuum_enabled = false); alter table callbacks set (autovacuum_enabled = false)";

    private const string AllRows = "-c default_statistics_target=1000";

    public static async Task InsertAsync(string connectionString)
    {
        var all = new NpgsqlConnectionStringBuilder(connectionString) { Options = AllRows };
        await using var source = NpgsqlDataSource.Create(all.ConnectionString);
        foreach (var sql in new[] { StandStill, InsertFinished, InsertWaiting, InsertRunning, InsertEvents, InsertQueues, InsertSchedules,
            InsertCallbacks, "vacuum analyze" })
        {
            await using var command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
    }
}
