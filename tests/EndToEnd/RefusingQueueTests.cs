using System.Collections.Concurrent;
using System.Diagnostics;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A queue of the broker that refuses messages, or does not answer: its own tasks wait, and all others go on.</summary>
public sealed class RefusingQueueTests : IAsyncLifetime
{
    private const string Bad = "bad", Good = "good";

    /// <summary>Less than the five seconds after which a publisher gives up waiting for the broker.</summary>
    private static readonly TimeSpan Prompt = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private string _rabbitMq = "";
    private TestDatabase _database = null!;
    private TestHost _host = null!;
    private BusClient _bus = null!;
    private ConcurrentQueue<(string Event, TaskStep Step)> _steps = [];

    public async Task InitializeAsync()
    {
        _rabbitMq = await TestServers.CreateVirtualHostAsync();
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _host = await StartAsync();
        _bus = new BusClient(_rabbitMq);
        _steps = await _bus.SubscribeAsync();
        foreach (var queue in new[] { Bad, Good })
            (await _host.Http.PutAsync($"/queues/{queue}", new { delivery = "push" })).Status.ShouldBe(201);
        await WorkAsync(Good);
        await RunAsync();
    }

    public async Task DisposeAsync()
    {
        await _bus.DisposeAsync();
        await _host.DisposeAsync();
        await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_full_push_queue_waits_alone_and_loses_nothing()
    {
        await TestServers.RefuseMessagesAsync(_rabbitMq, $"^{Bad}$");
        var waiting = new List<Guid>();
        await ArePromptAsync(5, async () =>
        {
            waiting.AddRange(await SubmitAsync(150)); // more than one message each
            return await RunAsync();
        });
        await HeldAsync();
        var gate = (await _host.Http.ReadAsync($"/tasks/{waiting[^1]}/why")).Json.GetProperty("gates").EnumerateArray().Single();
        gate.Text("gate").ShouldBe("push_backlog");
        gate.Text("message")!.ShouldContain("(its queue takes no more)");
        await ArePromptAsync(10, RunAsync);
        (await DepthAsync(Bad)).ShouldBeLessThan(5);
        await IsWellAsync();

        // It takes one message at a time: whenever the worker has room, the next ones arrive.
        await WorkAsync(Bad);
        await EndAsync(waiting[..200]);
        await TestServers.AcceptMessagesAsync(_rabbitMq);
        await EndAsync(waiting);
        await FreeAsync();
    }

    [Fact]
    public async Task A_push_queue_without_leader_waits_alone_and_loses_nothing()
    {
        await TestServers.SuspendQueueAsync(_rabbitMq, Bad);
        var waiting = new List<Guid>(await SubmitAsync(150));
        await HeldAsync();
        await ArePromptAsync(5, async () =>
        {
            waiting.AddRange(await SubmitAsync(10));
            return await RunAsync();
        });
        await IsWellAsync();
        await TestServers.ResumeQueueAsync(_rabbitMq, Bad);
        await WorkAsync(Bad);
        await EndAsync(waiting);
        await FreeAsync();
    }

    [Fact]
    public async Task A_push_queue_whose_limit_is_removed_takes_the_rest()
    {
        await TestServers.RefuseMessagesAsync(_rabbitMq, $"^{Bad}$");
        for (var i = 0; i < 3; i++)
            await SubmitAsync(150);
        await HeldAsync();
        await TestServers.AcceptMessagesAsync(_rabbitMq);
        await FreeAsync();
    }

    [Fact]
    public async Task Tasks_of_a_full_push_queue_outlast_the_process_that_dispatches()
    {
        await TestServers.RefuseMessagesAsync(_rabbitMq, $"^{Bad}$");
        var waiting = new List<Guid>();
        for (var i = 0; i < 3; i++)
            waiting.AddRange(await SubmitAsync(150));
        await HeldAsync();
        await _host.DisposeAsync();
        await TestServers.AcceptMessagesAsync(_rabbitMq);
        _host = await StartAsync();
        await WorkAsync(Bad);
        await EndAsync(waiting);
    }

    [Fact]
    public async Task A_worker_whose_own_queue_is_full_delays_no_event()
    {
        await TestServers.BindQueueAsync(_rabbitMq, "worker", Addresses.EndedOf(Bad));
        await TestServers.RefuseMessagesAsync(_rabbitMq, "^worker$");
        await ArePromptAsync(5, async () =>
        {
            foreach (var id in await SubmitAsync(2))
                (await _host.Http.PostAsync($"/tasks/{id}/cancel", "")).Status.ShouldBe(200);
            return await RunAsync();
        });
    }

    [Fact]
    public async Task A_subscriber_whose_queue_is_full_delays_events_but_no_dispatch()
    {
        await TestServers.BindQueueAsync(_rabbitMq, "subscriber", "TaskQueue.Contracts:TasksSubmitted");
        await TestServers.RefuseMessagesAsync(_rabbitMq, "^subscriber$");
        var pulled = new List<Guid>();
        for (var i = 0; i < 3; i++)
        {
            pulled.Add(await _host.Http.SubmitAsync(new { action = "a", queue = "pulled" }));
            await Eventually.UntilAsync(
                async () => await _database.FindAsync(pulled[^1]) is not null, TestHttp.Patience, "it is accepted");
        }

        var dispatched = new List<Guid>();
        await ArePromptAsync(5, async () =>
        {
            var begun = Stopwatch.GetTimestamp();
            dispatched.Add(await _host.Http.SubmitAsync(new { action = "a", queue = Good }));
            await Eventually.UntilAsync(
                async () => (await _host.Http.TaskAsync(dispatched[^1])).Text("status") == "completed", Patience, "it is dispatched");
            return Stopwatch.GetElapsedTime(begun);
        });

        // RabbitMQ tells its publishers only once there is room: the subscriber comes back.
        await _bus.WorkAsync("subscriber", _ => Task.CompletedTask);
        await Eventually.UntilAsync(async () => await DepthAsync("subscriber") == 0, TestHttp.Patience, "the subscriber has caught up");
        await TestServers.AcceptMessagesAsync(_rabbitMq);
        await SeenAsync(dispatched);
        await SeenAsync(pulled, nameof(TasksSubmitted));
    }

    private Task<TestHost> StartAsync() => TestHost.StartAsync(_database.ConnectionString, _rabbitMq,
        settings: new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error" });

    private Task<MassTransit.IBusControl> WorkAsync(string queue) =>
        _bus.WorkAsync(queue, async task =>
        {
            var engine = await (await _bus.BusAsync()).GetSendEndpoint(Addresses.Report);
            await engine.Send(new ReportTasks("worker", [new AttemptStarted(task.Id, task.Attempt)], [],
                [new AttemptOutcome(task.Id, task.Attempt, "1")]));
        });

    private async Task<IReadOnlyList<Guid>> SubmitAsync(int count) =>
        await _host.Http.SubmitManyAsync(Enumerable.Range(0, count).Select(_ => new { action = "a", queue = Bad }));

    /// <summary>The median counts: the bound concerns the server, not the other load of this machine.</summary>
    private static async Task ArePromptAsync(int rounds, Func<Task<TimeSpan>> runAsync)
    {
        var took = new List<TimeSpan>();
        for (var i = 0; i < rounds; i++)
            took.Add(await runAsync());
        took.Order().ElementAt(rounds / 2).ShouldBeLessThan(Prompt, string.Join(", ", took));
    }

    /// <summary>A task of the good queue is dispatched, and its events are published.</summary>
    /// <returns>How long it took.</returns>
    private async Task<TimeSpan> RunAsync()
    {
        var begun = Stopwatch.GetTimestamp();
        var id = await _host.Http.SubmitAsync(new { action = "a", queue = Good });
        await SeenAsync([id]);
        return Stopwatch.GetElapsedTime(begun);
    }

    private async Task SeenAsync(IReadOnlyList<Guid> ids, string last = nameof(TasksCompleted))
    {
        await Eventually.UntilAsync(
            () => Task.FromResult(_steps.Where(s => s.Event == last).Select(s => s.Step.TaskId).ToHashSet().IsSupersetOf(ids)),
            Patience, $"{last} of {ids.Count} tasks");
        var steps = _steps.ToLookup(s => s.Step.TaskId, s => s.Event);
        string[] order = [nameof(TasksSubmitted), nameof(TasksStarted), nameof(TasksCompleted)];
        foreach (var id in ids)
            steps[id].Distinct().ShouldBe(order[..(Array.IndexOf(order, last) + 1)]);
    }

    private async Task EndAsync(IReadOnlyList<Guid> ids)
    {
        await SeenAsync(ids);
        (await _host.Http.ReadAsync("/quarantine")).Json.GetProperty("items").EnumerateArray().ShouldBeEmpty();
    }

    private Task HeldAsync() => Eventually.UntilAsync(
        async () => (await MetricsText.ReadAsync(_host.Http)).Sum("taskqueue_push_held_seconds", ("queue", Bad)) > 0,
        TimeSpan.FromSeconds(30), "the queue is known to take nothing");

    private Task FreeAsync() => Eventually.UntilAsync(
        async () => !(await MetricsText.ReadAsync(_host.Http)).Of("taskqueue_push_held_seconds").Any(), TimeSpan.FromSeconds(60),
        "the queue is known to take dispatches");

    private async Task<long> DepthAsync(string queue) =>
        (await TestServers.QueueDepthsAsync(_rabbitMq)).Single(q => q.Name == queue).Messages;

    private async Task IsWellAsync() =>
        (await _host.Http.GetAsync(new Uri("/health/ready", UriKind.Relative))).IsSuccessStatusCode.ShouldBeTrue();
}
