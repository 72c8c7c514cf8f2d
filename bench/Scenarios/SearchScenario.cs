using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>
/// Times the first pages of searches by every filter and every pair of filters, frequent and rare, by an operator and a tenant.
/// </summary>
internal static class SearchScenario
{
    private const int WarmUps = 3;
    private const int Chunk = 500_000;
    private const int Pages = 3;
    private const int Slowest = 10;
    private const double MostMilliseconds = 50;
    private const string Administrator = "an-administrator-of-the-benchmark-7f3a", Tenant = "a-tenant-of-the-benchmark-0b5c";

    private static readonly Dictionary<string, string> Keys = new()
    {
        ["TaskQueue__Auth__ApiKeys__0__Name"] = "administrator",
        ["TaskQueue__Auth__ApiKeys__0__Key"] = Administrator,
        ["TaskQueue__Auth__ApiKeys__0__Scopes__0"] = "admin",
        ["TaskQueue__Auth__ApiKeys__1__Name"] = TaskRow.Owner,
        ["TaskQueue__Auth__ApiKeys__1__Key"] = Tenant,
    };

    /// <summary>By what is searched: each value is frequent, rare or missing.</summary>
    private static readonly string[] Filters =
    [
        "queue=q1", "queue=rare", "state=completed", "state=failed", "state=pending", "state=running", "state=retrying&state=expired",
        "state=scheduled", "name=work1", "name=rare", "tag=often", "tag=rare", "tag=often&tag=rare", "tag=none", "ordering_key=k1",
        "worker=w1", "worker=rare", "batch=00000000-0000-4000-8000-000000000001", "error=timeout", "error=none",
        "created_from=2023-11-15T00:00:00Z", "created_to=2023-11-15T00:00:00Z", "finished_from=2030-01-01T00:00:00Z",
        "finished_to=2023-11-15T00:00:00Z",
    ];

    // Of a hundred tasks: one each has failed, is cancelled, has expired, waits, runs or waits for a retry. Ids begin with their time.
    private const string Id = "(lpad(to_hex(1700000000000 + n * 10), 12, '0') || '40008000' || lpad(to_hex(n), 12, '0'))::uuid";

    private const string Queue = "case when n % 100000 = 77 then 'rare' else 'q' || n % 20 end";

    private const string Created = "to_timestamp(1700000000 + n / 100.0)";

    private const string Owner = $"case when n % 7 = 0 then '{TaskRow.Owner}' end";

    private static string Inserts(long from, long to) =>
        $$"""
        create temp table made on commit drop as
        select n, {{Id}} as id, {{Queue}} as queue, {{Created}} as at, {{Owner}} as owner,
            case when n % 100000 = 78 then 'rare' else 'work' || n % 10 end as name,
            case when n % 50000 = 79 then 'often,rare' when n % 2 = 0 then 'often' when n % 5 = 0 then 't' || n % 1000 end as tags,
            case when n % 50 = 9 then case when n % 7 = 0 then '{{TaskRow.Owner}}' || chr(31) else '' end || 'k' || n % 1000 end as key,
            case when n % 1000 < 10 then '00000000-0000-4000-8000-000000000001'::uuid end as batch
        from generate_series({{from}}, {{to}}) as n;
        insert into tasks (id, queue, tier, priority, push, name, payload, max_attempts, default_lease_ms, created_at, due_at, owner, tags,
            ordering_key, batch_id)
        select id, queue, 0, 2, false, name, '{"action":"' || name || '","data":[' || n || ']}', 4, 15000, at, at, owner, tags, key,
            batch from made;
        insert into task_tags (tag, task_id, owner, queue)
        select tag, id, owner, queue from made cross join unnest(string_to_array(tags, ',')) as tag where tags is not null;
        insert into ready (id, state, queue, tier, priority, push, name, blocked, attempt, attempts_left, max_attempts, default_lease_ms,
            lease_ms, created_at, due_at, octets, owner, batch_id, error)
        select id, case n % 100 when 4 then 3 else 7 end, queue, 0, 2, false, name, false, 0, 4, 4, 15000, 0, at,
            at + case when n % 1000 = 4 then interval '50 years' else interval '0' end, 40, owner, batch,
            case n % 100 when 6 then 'timeout after 3 s' end
        from made where n % 100 in (4, 6);
        insert into running (id, queue, tier, priority, push, name, attempt, attempts_left, max_attempts, default_lease_ms, lease_ms,
            created_at, due_at, started_at, lease_until, worker, limited, octets, owner, batch_id)
        select id, queue, 0, 2, false, name, 1, 3, 4, 15000, 15000, at, at, at, now() + interval '1 day', 'w' || n % 30, false, 40, owner,
            batch from made where n % 10000 = 5;
        insert into outcomes (id, state, queue, tier, result, error, attempt, attempts_left, lease_ms, worker, due_at, started_at,
            finished_at, dead, delete_at, owner)
        select id, case n % 100 when 1 then 6 when 2 then 8 when 3 then 9 else 5 end, queue, 0, '{"output":"processed"}',
            case n % 100 when 1 then case when n % 200 = 1 then 'timeout after 3 s' else 'refused' end end, 1, 3, 15000,
            case when n % 100000 = 80 then 'rare' else 'w' || n % 30 end, at, at, at + interval '2 seconds', n % 1000 = 1,
            now() + interval '7 days', owner
        from made where n % 100 not in (4, 6) and n % 10000 <> 5;
        """;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreatePostgresAsync();
        await FillAsync(run, database);
        await run.Broker.CleanAsync();
        using var server = await ServerProcess.StartAsync("api", database.ConnectionString, run.Options.RabbitMq, run.Stop, Keys);
        var figures = new List<Figure>();
        foreach (var (caller, key) in new[] { ("all tenants", Administrator), ("one tenant", Tenant) })
            figures.AddRange(await MeasureAsync(run, server, caller, key));
        server.DemandNoTrouble();
        return figures;
    }

    private static async Task FillAsync(BenchRun run, PostgresDatabase database)
    {
        for (var from = 1L; from <= run.Sizes.Searched; from += Chunk)
        {
            run.Say($"inserting tasks from {from:#,0} of {run.Sizes.Searched:#,0}");
            await database.ExecuteAsync($"begin; {Inserts(from, Math.Min(from + Chunk, run.Sizes.Searched + 1L) - 1)} commit");
        }

        await database.RestAsync();
    }

    private static async Task<IEnumerable<Figure>> MeasureAsync(BenchRun run, ServerProcess server, string caller, string key)
    {
        var times = new Dictionary<string, Latency>();
        var all = new List<TimeSpan>();
        foreach (var query in Combinations())
        {
            var taken = await TimeAsync(run, server, query, key);
            times[query] = Latency.Of(taken);
            all.AddRange(taken);
            run.Say($"{caller}, {query}: {times[query]}");
        }

        var tasks = $"{run.Sizes.Searched:#,0} tasks, {caller}";
        var shown = times.Where(t => Filters.Contains(t.Key)).Concat(times.OrderByDescending(t => t.Value.P99).Take(Slowest))
            .DistinctBy(t => t.Key);
        var total = Latency.Of(all);
        return
        [
            .. shown.SelectMany(t => FiguresOf($"GET /tasks?{t.Key}, {tasks}", t.Value)),
            .. FiguresOf($"all {times.Count} searches, {tasks}", total),
        ];
    }

    private static IEnumerable<Figure> FiguresOf(string name, Latency latency) =>
    [
        new Figure($"{name}: p50", new Series([latency.P50], Unit.Milliseconds)),
        new Figure($"{name}: p99", new Series([latency.P99], Unit.Milliseconds), null, Goal.ValueAtMost(MostMilliseconds)),
    ];

    /// <summary>No filter, each filter, and each two of different kinds.</summary>
    private static IEnumerable<string> Combinations() =>
    [
        "search=", .. Filters,
        .. Filters.SelectMany((filter, i) => Filters.Skip(i + 1).Where(other => Kind(other) != Kind(filter)).Select(other =>
            $"{filter}&{other}")),
    ];

    private static string Kind(string filter) => filter[..filter.IndexOf('=', StringComparison.Ordinal)];

    /// <summary>Times of the first pages, each of which counts and goes on where the one before ended.</summary>
    private static async Task<List<TimeSpan>> TimeAsync(BenchRun run, ServerProcess server, string query, string key)
    {
        var times = new List<TimeSpan>();
        for (var i = 0; i < WarmUps + run.Sizes.Searches; i++)
        {
            string? cursor = null;
            for (var page = 0; page < Pages; page++)
            {
                var since = Stopwatch.GetTimestamp();
                var body = await GetAsync(server, $"/tasks?{query}{(cursor is null ? "" : $"&cursor={cursor}")}", key, run.Stop);
                if (i >= WarmUps)
                    times.Add(Stopwatch.GetElapsedTime(since));
                using var document = JsonDocument.Parse(body);
                if ((cursor = document.RootElement.GetProperty("next_cursor").GetString()) is null)
                    break;
            }
        }

        return times;
    }

    private static async Task<string> GetAsync(ServerProcess server, string path, string key, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var answer = await server.Http.SendAsync(request, cancellationToken);
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        return answer.IsSuccessStatusCode ? body : throw new BenchException($"GET {path}: {(int)answer.StatusCode} {body}");
    }
}
