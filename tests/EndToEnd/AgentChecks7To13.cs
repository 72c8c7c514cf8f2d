using System.Collections.Concurrent;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The numbered acceptance checks of the distributed task queue that concern workers.</summary>
public sealed class AgentChecks7To13(TwoServers stack) : IClassFixture<TwoServers>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);
    private readonly string _queue = $"agent{Guid.NewGuid():N}";

    private static readonly (string Name, string Priority)[] Submitted =
        [("LOW", "low"), ("NORMAL", "normal"), ("CRITICAL", "critical"), ("HIGH", "high"), ("NORMAL2", "normal")];

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Check_7_tasks_run_by_priority_and_first_in_first_out()
    {
        (await Http.PutAsync($"/queues/{_queue}", new { delivery = "pull" })).Status.ShouldBe(201);
        (await Http.PostAsync($"/queues/{_queue}/pause", "")).Status.ShouldBe(200);
        var order = new ConcurrentQueue<string>();
        await using var worker = await StartAsync(o =>
        {
            o.Concurrency = 1;
            foreach (var (name, _) in Submitted)
                o.AddProcessor(name, (task, _) =>
                {
                    order.Enqueue(task.Name!);
                    return Task.FromResult(TaskOutcome.Completed());
                });
        });
        foreach (var (name, priority) in Submitted)
            await Http.SubmitAsync(new { action = name, queue = _queue, priority });
        order.ShouldBeEmpty();

        (await Http.PostAsync($"/queues/{_queue}/resume", "")).Status.ShouldBe(200);
        await Eventually.UntilAsync(() => Task.FromResult(order.Count == 5), Patience, "all five ran");
        order.ShouldBe(["CRITICAL", "HIGH", "NORMAL", "NORMAL2", "LOW"]);
    }

    [Fact]
    public async Task Check_8_a_processor_that_throws_twice_is_tried_again_after_2_and_4_seconds_and_completes()
    {
        var runs = new ConcurrentQueue<long>();
        await using var worker = await StartAsync(o => o.AddProcessor("a", (_, _) =>
        {
            runs.Enqueue(TimeProvider.System.GetTimestamp());
            return runs.Count <= 2 ? throw new InvalidOperationException("not yet") : Task.FromResult(TaskOutcome.CompletedJson("true"));
        }));
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.TaskAsync(id, "retrying");
        await Http.TaskAsync(id, "completed");

        var times = runs.ToArray();
        times.Length.ShouldBe(3);
        TimeProvider.System.GetElapsedTime(times[0], times[1]).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(2));
        TimeProvider.System.GetElapsedTime(times[1], times[2]).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task Check_9_a_processor_that_throws_runs_four_times_and_one_that_returns_a_failure_once()
    {
        var runs = new ConcurrentQueue<long>();
        await using var worker = await StartAsync(o =>
        {
            o.AddProcessor("throws", (_, _) =>
            {
                runs.Enqueue(TimeProvider.System.GetTimestamp());
                throw new InvalidOperationException("boom");
            });
            o.AddProcessor("returns", (_, _) => Task.FromResult(TaskOutcome.Failed("x")));
        });
        var throws = await Http.SubmitAsync(new { action = "throws", queue = _queue });
        var returns = await Http.SubmitAsync(new { action = "returns", queue = _queue });

        var once = await Http.TaskAsync(returns, "failed");
        (once.Whole("attempt"), once.Text("error")).ShouldBe((1, "x"));
        await Eventually.UntilAsync(async () => (await Http.TaskAsync(throws)).Text("status") == "failed", Patience, "no attempt is left");
        (await Http.TaskAsync(throws)).Text("error")!.ShouldContain("boom");
        runs.Count.ShouldBe(4);
        TimeProvider.System.GetElapsedTime(runs.First(), runs.Last()).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(14));
    }

    [Fact]
    public async Task Check_10_the_last_processor_of_a_name_runs_and_no_other_name_hits_it()
    {
        var ran = new ConcurrentQueue<string>();
        await using var worker = await StartAsync(o =>
        {
            o.UnknownNames = UnknownNames.Echo;
            o.AddProcessor("a", (_, _) => RanAsync("first"));
            o.AddProcessor("a", (_, _) => RanAsync("second"));
        });
        await Http.TaskAsync(await Http.SubmitAsync(new { action = "a", queue = _queue }), "completed");
        await Http.TaskAsync(await Http.SubmitAsync(new { action = "a.b", queue = _queue }), "completed"); // echoed
        ran.ShouldBe(["second"]);

        Task<TaskOutcome> RanAsync(string which)
        {
            ran.Enqueue(which);
            return Task.FromResult(TaskOutcome.Completed());
        }
    }

    [Fact]
    public async Task Check_11_a_scheduled_high_task_does_not_block_a_due_low_one()
    {
        await using var worker = await StartAsync(o => o.UnknownNames = UnknownNames.Echo);
        var later = await Http.SubmitAsync(
            new { action = "a", queue = _queue, priority = "high", scheduled_at = TimeProvider.System.GetUtcNow().AddSeconds(10) });
        var now = await Http.SubmitAsync(new { action = "a", queue = _queue, priority = "low" });
        await Http.TaskAsync(now, "completed");
        (await Http.TaskAsync(later)).Text("status").ShouldBe("pending");
        await Http.TaskAsync(later, "completed");
    }

    [Fact]
    public async Task Check_13_two_servers_and_two_workers_run_each_of_1000_tasks_once()
    {
        var runs = new ConcurrentDictionary<Guid, int>();
        await using var one = await StartAsync(o => Count(o), stack.Http);
        await using var other = await StartAsync(o => Count(o), stack.OtherHttp);
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 1000).Select(i => new { action = "a", queue = _queue }));
        foreach (var id in ids)
            (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
        runs.Count.ShouldBe(1000);
        runs.Values.ShouldAllBe(n => n == 1);

        void Count(TaskQueueWorkerOptions options)
        {
            options.Concurrency = 8;
            options.Prefetch = 32;
            options.AddProcessor("a", (task, _) =>
            {
                runs.AddOrUpdate(task.Id, 1, (_, n) => n + 1);
                return Task.FromResult(TaskOutcome.Completed());
            });
        }
    }

    private Task<WorkerRun> StartAsync(Action<TaskQueueWorkerOptions> configure, HttpClient? server = null) =>
        WorkerRun.StartAsync((server ?? Http).BaseAddress!, o =>
        {
            o.Queues.Add(_queue);
            configure(o);
        });
}

/// <summary>Two processes with all roles on one PostgreSQL and one RabbitMQ.</summary>
public sealed class TwoServers() : Stack(TaskQueue.Storage.DatabaseProvider.Postgres, null as string, null as string);
