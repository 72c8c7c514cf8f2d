using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Times reads over HTTP by an administrator of all tenants, and by a tenant that owns a seventh of the tasks.</summary>
internal static class BacklogReads
{
    private const int WarmUps = 5;
    private const string Administrator = "an-administrator-of-the-benchmark-7f3a", Tenant = "a-tenant-of-the-benchmark-0b5c";
    private const string Duration = "taskqueue_backlog_duration_seconds{} ";

    /// <summary>The server's minimum refresh interval as a multiple of the duration of a read.</summary>
    private const int Share = 20;

    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(0.1);

    private static readonly Dictionary<string, string> Keys = new()
    {
        ["TaskQueue__Auth__ApiKeys__0__Name"] = "administrator",
        ["TaskQueue__Auth__ApiKeys__0__Key"] = Administrator,
        ["TaskQueue__Auth__ApiKeys__0__Scopes__0"] = "admin",
        ["TaskQueue__Auth__ApiKeys__1__Name"] = TaskRow.Owner,
        ["TaskQueue__Auth__ApiKeys__1__Key"] = Tenant,
    };

    /// <summary>Medians of reads, and of the second page of those that have one.</summary>
    public static async Task<Reads> MeasureAsync(BenchRun run, BenchDatabase database, IReadOnlyList<string> paths)
    {
        await run.Broker.CleanAsync();
        using var server = await ServerProcess.StartAsync(BenchRun.AllRoles, database.ConnectionString, run.Options.RabbitMq, run.Stop,
            Keys);
        var medians = new Dictionary<string, double>();
        foreach (var (caller, key) in new[] { ("all tenants", Administrator), ("one tenant", Tenant) })
        {
            foreach (var path in paths)
            {
                var first = await ReadAsync(path);
                medians[$"GET {path}, {caller}"] = first.P50;
                if (first.Next is { } next)
                    medians[$"GET {path}, page 2, {caller}"] = (await ReadAsync($"{path}&after={next}")).P50;
            }

            async Task<(double P50, string? Next)> ReadAsync(string path)
            {
                var (times, body) = (new List<TimeSpan>(), "");
                for (var i = 0; i < WarmUps + run.Sizes.BacklogReads; i++)
                {
                    var since = Stopwatch.GetTimestamp();
                    body = await GetAsync(server, path, key, run.Stop);
                    times.Add(Stopwatch.GetElapsedTime(since));
                }

                using var document = JsonDocument.Parse(body);
                return (Latency.Of(times[WarmUps..]).P50,
                    document.RootElement.TryGetProperty("next", out var next) && next.ValueKind == JsonValueKind.String
                        ? next.GetString() : null);
            }
        }

        server.DemandNoTrouble();
        return new Reads(medians);
    }

    /// <summary>Medians of scrapes of /metrics that read the database, and of that read.</summary>
    public static async Task<Reads> ScrapeAsync(BenchRun run, BenchDatabase database, int waiting)
    {
        await run.Broker.CleanAsync();
        using var server = await ServerProcess.StartAsync(BenchRun.AllRoles, database.ConnectionString, run.Options.RabbitMq, run.Stop,
            new Dictionary<string, string>(Keys) { ["TaskQueue__Telemetry__RefreshSeconds"] = $"{Refresh.TotalSeconds}" });
        // A slow first read is not waited for.
        await Wait.UntilAsync(async () => IsWhole(await GetAsync(server, "/metrics", Administrator, run.Stop)), Deadline,
            "a scrape shows the waiting tasks", run.Stop);
        var (scrapes, reads) = (new List<TimeSpan>(), new List<TimeSpan>());
        for (var i = 0; i <= run.Sizes.BacklogReads; i++)
        {
            var since = Stopwatch.GetTimestamp();
            var text = await GetAsync(server, "/metrics", Administrator, run.Stop);
            scrapes.Add(Stopwatch.GetElapsedTime(since));
            var line = text.Split('\n').SingleOrDefault(l => l.StartsWith(Duration, StringComparison.Ordinal))
                ?? throw new BenchException("the scrape has no duration of its read");
            if (!IsWhole(text))
                throw new BenchException("the scrape does not show the waiting tasks");
            reads.Add(TimeSpan.FromSeconds(double.Parse(line[Duration.Length..], CultureInfo.InvariantCulture)));
            await Task.Delay(Refresh + (reads[^1] * (Share + 1)), run.Stop); // then the next scrape reads the database again
        }

        server.DemandNoTrouble();
        return new Reads(new Dictionary<string, double>
        {
            ["scrape of /metrics"] = Latency.Of(scrapes[1..]).P50,
            ["its read of the database"] = Latency.Of(reads[1..]).P50,
        });

        bool IsWhole(string text) => text.Contains(
            $"{{queue=\"{Bodies.PullQueue}\",state=\"due\",tier=\"0\"}} {waiting}\n", StringComparison.Ordinal);
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
