using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Client.Testing;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The test host that other programs use in their tests: docs/testing.md.</summary>
public sealed class TestHostTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2031, 2, 3, 4, 5, 6, TimeSpan.Zero);

    private TaskQueueTestHost _host = null!;

    private TaskQueueClient Client => _host.Client;

    public async Task InitializeAsync() => _host = await TaskQueueTestHost.StartAsync(o =>
    {
        o.Start = Start;
        o.Settings["Logging:LogLevel:Default"] = "Error";
    });

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task Retries_run_at_their_times_without_waiting_for_them()
    {
        var starts = new List<DateTimeOffset>();
        await _host.AddWorkerAsync(worker =>
        {
            worker.Queues.Add("mail");
            worker.AddProcessor<string, string>("send", (to, _, _) =>
            {
                starts.Add(_host.Time.GetUtcNow());
                return starts.Count < 4 ? throw new InvalidOperationException("not yet") : Task.FromResult(to);
            });
        });
        var task = NewTask.Of("mail", "send", "ann") with { ScheduledAt = Start.AddDays(3) };
        await Client.EnqueueAsync(task);

        await _host.DrainAsync();
        starts.ShouldBeEmpty("it is due in three days");
        await _host.DrainAsync(advance: true);

        var done = await Client.GetAsync(task.Id);
        (done!.Status, done.Attempt, done.Result!.Value.GetString()).ShouldBe((QueuedTaskStatus.Completed, 4, "ann"));
        starts[0].ShouldBeGreaterThanOrEqualTo(Start.AddDays(3));
        (starts[3] - starts[0]).ShouldBeGreaterThan(TimeSpan.FromSeconds(5)); // about 2, 4 and 8 s
        (done.FinishedAt!.Value - Start).ShouldBeLessThan(TimeSpan.FromDays(3.1));
    }

    [Fact]
    public async Task A_schedule_fires_at_each_of_its_ticks_while_the_time_advances()
    {
        await Client.DeclareQueueAsync("reports", new QueueDeclaration());
        await Client.ScheduleAsync("reports", "hourly", new NewSchedule("0 * * * *", "report"));

        await _host.AdvanceAsync(TimeSpan.FromHours(6));

        var ticks = new List<DateTimeOffset>();
        await foreach (var task in Client.SearchAsync(new TaskSearch { Queue = "reports" }))
            ticks.Add(task.CreatedAt);
        ticks.Select(t => t.Hour).Order().ShouldBe([5, 6, 7, 8, 9, 10]);
        ticks.ShouldAllBe(t => t.Minute == 0);
    }

    [Fact]
    public async Task A_worker_runs_the_task_of_each_tick_once_before_the_next_tick()
    {
        var attempts = new System.Collections.Concurrent.ConcurrentQueue<int>();
        await Client.DeclareQueueAsync("reports", new QueueDeclaration());
        await Client.ScheduleAsync("reports", "hourly", new NewSchedule("0 * * * *", "report"));
        await _host.AddWorkerAsync(worker =>
        {
            worker.Queues.Add("reports");
            worker.AddProcessor("report", async (task, cancellationToken) =>
            {
                await Task.Delay(50, cancellationToken); // the work
                attempts.Enqueue(task.Attempt);
                return TaskOutcome.Completed();
            });
        });

        await _host.AdvanceAsync(TimeSpan.FromHours(6));
        await _host.DrainAsync();

        attempts.ShouldBe([1, 1, 1, 1, 1, 1]);
    }

    [Fact]
    public async Task A_task_that_a_limit_holds_does_not_take_the_others_from_the_worker()
    {
        var attempts = new System.Collections.Concurrent.ConcurrentQueue<int>();
        await Client.DeclareQueueAsync("mail", new QueueDeclaration { Rate = 1, RateInterval = TimeSpan.FromDays(30) });
        await Client.DeclareQueueAsync("reports", new QueueDeclaration());
        await Client.ScheduleAsync("reports", "hourly", new NewSchedule("0 * * * *", "report"));
        await _host.AddWorkerAsync(worker =>
        {
            worker.Queues.Add("mail");
            worker.Queues.Add("reports");
            worker.AddProcessor("send", (_, _) => Task.FromResult(TaskOutcome.Completed()));
            worker.AddProcessor("report", async (task, cancellationToken) =>
            {
                await Task.Delay(50, cancellationToken); // the work
                attempts.Enqueue(task.Attempt);
                return TaskOutcome.Completed();
            });
        });
        await Client.EnqueueAsync(new NewTask("mail", "send"));
        await _host.DrainAsync();
        var held = new NewTask("mail", "send");
        await Client.EnqueueAsync(held);

        await _host.AdvanceAsync(TimeSpan.FromHours(12));

        (await Client.GetStatusAsync(held.Id)).ShouldBe(QueuedTaskStatus.Pending);
        attempts.ShouldBe([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    }

    [Fact]
    public async Task What_expires_on_the_way_is_expired_and_a_lease_that_runs_out_is_lost()
    {
        var late = new NewTask("mail", "late") { ScheduledAt = Start.AddHours(2), ExpiresAt = Start.AddHours(1) };
        await Client.EnqueueManyAsync([late, new NewTask("mail", "held")]);
        var claim = JsonSerializer.SerializeToElement(new { queues = (List<string>)["mail"], worker = "silent", max = 1 });
        var held = (await Client.CallAsync(HttpMethod.Post, "/workers/claim", claim))!.Value.GetProperty("tasks")[0].Id();

        await _host.AdvanceAsync(TimeSpan.FromHours(1));

        (await Client.GetStatusAsync(late.Id)).ShouldBe(QueuedTaskStatus.Expired);
        (await Client.GetAsync(held))!.Error!.ShouldContain("lease of attempt 1 expired");
    }

    [Fact]
    public async Task A_drain_that_takes_too_long_says_what_is_left()
    {
        await Client.EnqueueAsync("nobody", "send", "ann");
        await Client.EnqueueAsync(new NewTask("later", "send") { ScheduledAt = Start.AddDays(1) });
        await Client.DeclareQueueAsync("paused", new QueueDeclaration());
        await Client.PauseAsync("paused");
        await Client.EnqueueAsync("paused", "send", "ann");

        var fault = await Should.ThrowAsync<TimeoutException>(() => _host.DrainAsync(timeout: TimeSpan.FromMilliseconds(100)));

        fault.Message.ShouldBe(
            "Not done within 0.1 s: 1 task 'send' of queue 'nobody' waiting (no worker of this host works on the queue).");
        await _host.AddWorkerAsync(worker =>
        {
            worker.Queues.Add("nobody");
            worker.UnknownNames = UnknownNames.Echo;
        });
        await _host.DrainAsync();
        (await Client.QueueAsync("paused"))!.Counts!.Waiting.ShouldBe(1);
    }

    [Fact]
    public async Task A_service_that_throws_when_it_ends_does_not_leave_the_server_behind()
    {
        var host = await TaskQueueTestHost.StartAsync();
        await host.AddWorkerAsync(
            worker =>
            {
                worker.Queues.Add("mail");
                worker.UnknownNames = UnknownNames.Echo;
            },
            services => services.AddSingleton<IHostedService, BrokenService>());

        (await Should.ThrowAsync<InvalidOperationException>(async () => await host.DisposeAsync())).Message.ShouldBe("broken Dispose");

        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        await Should.ThrowAsync<HttpRequestException>(() => http.GetAsync(host.Address));
    }

    [Fact]
    public async Task A_setting_that_is_none_is_refused_as_by_the_server()
    {
        var fault = await Should.ThrowAsync<InvalidOperationException>(
            () => TaskQueueTestHost.StartAsync(o => o.Settings["TaskQueue:KeepFinishd"] = "7"));

        fault.Message.ShouldContain("did you mean TaskQueue:KeepFinished?");
    }

    private sealed class BrokenService : IHostedService, IDisposable
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("broken StopAsync");

        public void Dispose() => throw new InvalidOperationException("broken Dispose");
    }
}
