using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Four processes, three of them with the scheduler role; one schedule that fires every second from the start.</summary>
public sealed class CrashRulesFixture : IAsyncLifetime
{
    /// <summary>The same two roles in another order: names of processes.</summary>
    internal static readonly string[] Processes = ["api,scheduler", "scheduler,api", "scheduler", "consumers"];

    internal const string Ticks = "ticks";

    internal CrashCluster Cluster { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Cluster = await CrashCluster.StartAsync(roles: Processes);
        var http = Cluster.Process(Processes[0]).Http;
        (await http.PutAsync($"/queues/{Ticks}", new { })).Status.ShouldBe(201);
        (await http.PutAsync($"/queues/{Ticks}/schedules/every-second", new { cron = "* * * * * *" })).Status.ShouldBe(201);
    }

    public async Task DisposeAsync() => await Cluster.DisposeAsync();
}

/// <summary>Queue rules hold whatever is killed. It kills only its own processes, so other tests can run.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class CrashRulesTests(CrashRulesFixture fixture) : IClassFixture<CrashRulesFixture>
{
    private const int MaxRunning = 6;
    private static readonly RateLimit Rate = new(MaxTokens: 10, IntervalMs: 200);
    private const int Threads = 25;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly double[] Intervals = [0, 0.05, 0];

    private CrashCluster Cluster => fixture.Cluster;

    [Fact]
    public async Task Kill_9_breaks_no_lease_ordering_key_limit_or_dedupe_key()
    {
        const string queue = "rules";
        (await Cluster.Process("api,scheduler").Http.PutAsync(
            $"/queues/{queue}",
            new
            {
                max_running = MaxRunning, rate = new { tokens = Rate.MaxTokens, interval_seconds = Rate.IntervalMs / 1000.0 },
                retry = new { intervals = Intervals }, max_attempts = 50, max_crashes = 0,
            })).Status.ShouldBe(201);
        using var done = new CancellationTokenSource();
        var accepted = new HashSet<Guid>();
        var workers = Enumerable.Range(0, 8)
            .Select(i => Task.Run(() => WorkAsync(CrashRulesFixture.Processes[i % 2], queue, new Random(i), done.Token))).ToList();

        foreach (var victim in new[] { "api,scheduler", "scheduler", "scheduler,api", "api,scheduler" })
        {
            for (var i = 0; i < 6; i++)
                await SubmitAsync(queue, accepted, i);
            await Cluster.RestartAsync(victim);
        }

        await Cluster.ExplainedAsync(async () =>
        {
            await Eventually.UntilAsync(() => IsQuietAsync(queue), Patience, "every task has ended");
            await done.CancelAsync();
            await Task.WhenAll(workers);
            var history = await CrashHistory.ReadAsync(Cluster.Database, queue);
            history.Faults(MaxRunning, Rate).ShouldBeEmpty();
            accepted.Except(history.Ids).ShouldBeEmpty();
            history.Starts.ShouldBeGreaterThan(history.Ids.Count, "no attempt was ever repeated: nothing was tried");
        });
    }

    [Fact]
    public async Task Three_schedulers_fire_each_of_sixty_seconds_once_though_one_is_killed()
    {
        var before = (await TicksAsync()).Count; // it ticks since the fixture began
        await Eventually.UntilAsync(async () => (await TicksAsync()).Count > before + 20, Patience, "20 ticks");
        await Cluster.RestartAsync("scheduler,api");
        await Eventually.UntilAsync(async () => (await TicksAsync()).Count > before + 60, Patience, "60 ticks");

        await using var db = Cluster.Database.CreateContext();
        var schedule = await db.Schedules.AsNoTracking().SingleAsync();
        var ids = await TicksAsync();
        var first = schedule.CreatedAt.AddTicks(TimeSpan.TicksPerSecond - (schedule.CreatedAt.Ticks % TimeSpan.TicksPerSecond));
        var expected = Enumerable.Range(0, ids.Count).Select(i => ScheduledTasks.IdOf(schedule.Id, first.AddSeconds(i)));
        ids.ShouldBe(expected, ignoreOrder: true);
        (await db.EventsAsync()).Count(e => e.Queue == CrashRulesFixture.Ticks && ids.Contains(e.TaskId)).ShouldBe(ids.Count);
    }

    private async Task<List<Guid>> TicksAsync()
    {
        await using var db = Cluster.Database.CreateContext();
        return await db.Tasks.Where(t => t.Queue == CrashRulesFixture.Ticks).OrderBy(t => t.CorrelationId).Select(t => t.CorrelationId)
            .ToListAsync();
    }

    /// <summary>
    /// Tasks with ordering keys, tasks with already used dedupe keys, and plain tasks, to whichever server answers.
    /// </summary>
    private async Task SubmitAsync(string queue, HashSet<Guid> accepted, int round)
    {
        var tasks = Enumerable.Range(0, 25).Select(i => (object)(i % 5 == 0
            ? new { action = "keyed", queue, dedupe_key = $"k{i}" }
            : new { action = "ordered", queue, ordering_key = $"t{(i + (round * 7)) % Threads}" })).ToList();
        await Eventually.UntilAsync(
            async () =>
            {
                foreach (var process in CrashRulesFixture.Processes[..2])
                {
                    try
                    {
                        var reply = await Cluster.Process(process).Http.PostAsync("/tasks/bulk", new { tasks });
                        if (reply.Status != 202)
                            continue;
                        var results = reply.Json.GetProperty("results").EnumerateArray().Select(r => r.GetString()).ToList();
                        accepted.UnionWith(reply.Json.GetProperty("ids").EnumerateArray().Where((_, i) => results[i] == "queued")
                            .Select(id => id.GetGuid()));
                        return true;
                    }
                    catch (HttpRequestException)
                    {
                        // That process is down.
                    }
                }

                return false;
            },
            Patience, "tasks are accepted");
    }

    /// <summary>Completes most, fails or snoozes some, and forgets some, as if it had crashed.</summary>
    private async Task WorkAsync(string process, string queue, Random random, CancellationToken done)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = Cluster.Address(process),
            Timeout = TimeSpan.FromSeconds(20) };
        while (!done.IsCancellationRequested)
        {
            try
            {
                foreach (var task in await http.ClaimAsync(queue, max: random.Next(1, 4), lease_seconds: 1, wait_seconds: 0.5))
                    await EndAsync(http, task, random.Next(20));
            }
            catch (Exception fault) when (fault is HttpRequestException or IOException or InvalidOperationException
                or OperationCanceledException)
            {
                await Eventually.UntilAsync(() => IsUpAsync(http), Patience, $"{process} is back");
            }
        }
    }

    private static async Task EndAsync(HttpClient http, JsonElement task, int chance)
    {
        var (id, attempt) = (task.Id(), task.Whole("attempt"));
        object? report = chance switch
        {
            0 => null,
            1 or 2 => new { id, attempt, outcome = "failed", error = "e" },
            3 => new { id, attempt, outcome = "snoozed", delay_seconds = 0.05 },
            _ => new { id, attempt, outcome = "completed" },
        };
        if (report is not null)
            await http.TellAsync("report", report);
    }

    private static async Task<bool> IsUpAsync(HttpClient http)
    {
        try
        {
            using var response = await http.GetAsync("/health/live");
            return response.IsSuccessStatusCode;
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or OperationCanceledException)
        {
            return false;
        }
    }

    private async Task<bool> IsQuietAsync(string queue)
    {
        await using var db = Cluster.Database.CreateContext();
        return !await db.Tasks.AnyAsync(t => t.Queue == queue && t.FinishedAt == null);
    }
}
