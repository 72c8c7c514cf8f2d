using System.Collections.Concurrent;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Push queues: workers that consume from the broker.</summary>
public abstract class PushTests(Stack stack) : BusTests(stack)
{
    private readonly BusClient _workers = new(stack.RabbitMq);

    public override async Task DisposeAsync()
    {
        await _workers.DisposeAsync();
        await base.DisposeAsync();
    }

    [Fact]
    public async Task A_push_queue_is_a_quorum_queue_of_the_broker()
    {
        var reply = await Http.PutAsync($"/queues/{Queue}", new { delivery = "push" });
        reply.Status.ShouldBe(201);
        reply.Json.Text("name").ShouldBe(Queue);
        reply.Json.Text("delivery").ShouldBe("push");
        (await Http.PutAsync($"/queues/{Queue}", new { delivery = "push" })).Status.ShouldBe(200);

        (await TestServers.QueueDepthsAsync(Stack.RabbitMq!)).Single(q => q.Name == Queue).Type.ShouldBe("quorum");
        var queues = (await Http.ReadAsync("/queues")).Json.GetProperty("queues").EnumerateArray().ToList();
        queues.ShouldContain(q => q.Text("name") == "tasks" && q.Text("delivery") == "push");
        queues.ShouldContain(q => q.Text("name") == Queue && q.Text("delivery") == "push");
        Problems.Expect(await Http.PutAsync($"/queues/{Queue}", new { delivery = "pull" }), 409, "declared_otherwise");
    }

    [Fact]
    public async Task A_pull_queue_cannot_become_a_push_queue_and_nothing_is_declared_at_the_broker()
    {
        (await Http.PutAsync($"/queues/{Queue}", new { delivery = "pull" })).Status.ShouldBe(201);
        Problems.Expect(await Http.PutAsync($"/queues/{Queue}", new { delivery = "push" }), 409, "declared_otherwise");
        (await TestServers.QueueDepthsAsync(Stack.RabbitMq!)).ShouldNotContain(q => q.Name == Queue);
    }

    [Fact]
    public async Task A_worker_runs_what_was_dispatched_to_it()
    {
        await DeclareAsync();
        var dispatched = new ConcurrentQueue<DispatchedTask>();
        await _workers.WorkAsync(Queue, async task =>
        {
            dispatched.Enqueue(task);
            await ReportAsync(Completed(task, "worker", "\"done\""));
        });
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 50).Select(i => new { action = $"a{i}", queue = $"{Queue}:1" }));
        var single = await Http.SubmitAsync(new { action = "a", queue = Queue, data = 7 });

        foreach (var id in ids.Append(single))
        {
            var task = await Http.TaskAsync(id, "completed");
            task.Text("worker").ShouldBe("worker");
            task.Text("result").ShouldBe("done");
            task.Whole("attempt").ShouldBe(1);
        }

        dispatched.Select(d => d.Id).ShouldBe(ids.Append(single), ignoreOrder: true);
        dispatched.ShouldAllBe(d => d.Attempt == 1 && d.Queue == Queue && d.Tier == (d.Id == single ? 0 : 1));
        dispatched.Single(d => d.Id == ids[3]).Name.ShouldBe("a3");
    }

    [Fact]
    public async Task A_worker_that_fails_a_task_gets_it_again_with_the_next_attempt()
    {
        await DeclareAsync();
        var attempts = new ConcurrentQueue<int>();
        await _workers.WorkAsync(Queue, async task =>
        {
            attempts.Enqueue(task.Attempt);
            await ReportAsync(task.Attempt == 1
                ? new ReportTasks("w", [new AttemptStarted(task.Id, 1)], [], [new AttemptOutcome(task.Id, 1, Error: "no luck")])
                : Completed(task, "w", "2"));
        });
        var id = await Http.SubmitAsync(new { action = "a", queue = Queue });
        var task = await Http.TaskAsync(id, "completed");
        attempts.ShouldBe([1, 2]);
        task.GetProperty("timeline").EnumerateArray().Select(s => s.Text("event"))
            .ShouldBe(["submitted", "started", "retrying", "dispatched", "started", "completed"]);
    }

    [Fact]
    public async Task A_snoozed_task_returns_to_its_worker_without_counting_an_attempt()
    {
        await DeclareAsync();
        var attempts = new ConcurrentQueue<int>();
        await _workers.WorkAsync(Queue, async task =>
        {
            attempts.Enqueue(task.Attempt);
            await ReportAsync(task.Attempt == 1
                ? new ReportTasks("w", [new AttemptStarted(task.Id, 1)], [], [new AttemptOutcome(task.Id, 1, SnoozeSeconds: 0.1)])
                : Completed(task, "w", "2"));
        });
        var id = await Http.SubmitAsync(new { action = "a", queue = Queue, max_attempts = 1 });
        await Http.TaskAsync(id, "completed");
        attempts.ShouldBe([1, 2]);
    }

    [Fact]
    public async Task A_paused_push_queue_dispatches_nothing_until_it_resumes()
    {
        await DeclareAsync();
        var arrived = new ConcurrentQueue<Guid>();
        await _workers.WorkAsync(Queue, async task =>
        {
            arrived.Enqueue(task.Id);
            await ReportAsync(Completed(task, "w", "2"));
        });
        (await Http.PostAsync($"/queues/{Queue}/pause", "")).Status.ShouldBe(200);
        await Eventually.UntilAsync(
            async () => (await Stack.OtherHttp.ReadAsync($"/queues/{Queue}")).Json.GetProperty("paused").GetBoolean(),
            TestHttp.Patience, "everybody knows");
        var id = await Http.SubmitAsync(new { action = "a", queue = Queue });
        await Eventually.UntilAsync(
            async () => await Stack.Database.FindAsync(id) is { DispatchAt: null },
            TestHttp.Patience, "the scheduler has put the task aside");
        arrived.ShouldBeEmpty();

        (await Http.PostAsync($"/queues/{Queue}/resume", "")).Status.ShouldBe(200);

        await Http.TaskAsync(id, "completed");
        arrived.ShouldContain(id);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_dispatched_to_no_worker_is_gone_with_a_purge_or_the_queue(bool isDeleted)
    {
        await DeclareAsync();
        await Http.SubmitManyAsync(Enumerable.Range(0, 5).Select(_ => new { action = "old", queue = Queue }));
        await Eventually.UntilAsync( // one message may hold several tasks
            async () => (await TestServers.QueueDepthsAsync(Stack.RabbitMq!)).Single(q => q.Name == Queue).Messages > 0,
            TestHttp.Patience, "the broker has them");
        if (isDeleted)
            (await Http.RemoveAsync($"/queues/{Queue}")).Status.ShouldBe(204);
        else
            (await Http.PostAsync($"/queues/{Queue}/purge", "")).Status.ShouldBe(204);
        if (isDeleted)
            await DeclareAsync();

        var arrived = new ConcurrentQueue<string?>();
        await _workers.WorkAsync(Queue, async task =>
        {
            arrived.Enqueue(task.Name);
            await ReportAsync(Completed(task, "w", "2"));
        });
        var id = await Http.SubmitAsync(new { action = "new", queue = Queue });

        await Http.TaskAsync(id, "completed");
        arrived.ShouldBe(["new"]);
    }

    [Fact]
    public async Task Ordering_keys_and_limits_need_a_pull_queue()
    {
        await DeclareAsync();
        Problems.Expect(await Http.PutAsync($"/queues/{Queue}", new { max_running = 1 }), 400, "invalid_request");
        Problems.Expect(await Http.PutAsync($"/queues/{Queue}x", new { delivery = "push", rate = new { tokens = 1 } }), 400,
            "invalid_request");
        (await Http.PostAsync("/tasks", new { action = "a", queue = Queue, ordering_key = "t" })).Status.ShouldBe(400);
    }

    [Fact]
    public async Task Only_the_first_of_two_workers_with_the_same_dispatch_is_accepted()
    {
        await DeclareAsync();
        var dispatched = new TaskCompletionSource<DispatchedTask>();
        await _workers.WorkAsync(Queue, task =>
        {
            dispatched.TrySetResult(task);
            return Task.CompletedTask;
        });
        var id = await Http.SubmitAsync(new { action = "a", queue = Queue });
        var task = await dispatched.Task.WaitAsync(TestHttp.Patience);

        await ReportAsync(new ReportTasks("first", [new AttemptStarted(id, 1)], [], []));
        await Http.TaskAsync(id, "running");
        await ReportAsync(Completed(task, "second", "2"));
        // The report queue is unordered, so another task of the second worker must show that it was read.
        var other = await Http.SubmitAsync(new { action = "a", queue = Queue });
        await ReportAsync(new ReportTasks("second", [new AttemptStarted(other, 1), new AttemptStarted(id, 1)], [],
            [new AttemptOutcome(id, 1, "2"), new AttemptOutcome(other, 1, "2")]));
        (await Http.TaskAsync(other, "completed")).Text("worker").ShouldBe("second");

        var running = await Http.TaskAsync(id);
        running.Text("status").ShouldBe("running");
        running.Text("worker").ShouldBe("first");
        await ReportAsync(Completed(task, "first", "1"));
        (await Http.TaskAsync(id, "completed")).Whole("result").ShouldBe(1);
    }

    [Fact]
    public async Task A_scheduled_task_arrives_at_its_time()
    {
        await DeclareAsync();
        var arrived = new ConcurrentDictionary<Guid, DateTimeOffset>();
        await _workers.WorkAsync(Queue, task =>
        {
            arrived[task.Id] = TimeProvider.System.GetUtcNow();
            return Task.CompletedTask;
        });
        var now = await Http.SubmitAsync(new { action = "a", queue = Queue });
        await Eventually.UntilAsync(() => Task.FromResult(arrived.ContainsKey(now)), TestHttp.Patience, "the worker works");

        // The best of a round, and of several rounds: the bound concerns the engine, not the other load of this machine.
        await Eventually.UntilAsync(
            async () => await LeastDelayAsync() <= TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60), "a task arrives in time");

        async Task<TimeSpan> LeastDelayAsync()
        {
            var start = TimeProvider.System.GetUtcNow().AddMilliseconds(500);
            var due = Enumerable.Range(0, 5).Select(i => start.AddMilliseconds(100 * i)).ToList();
            var ids = await Http.SubmitManyAsync(due.Select(d => new { action = "a", queue = Queue, scheduled_at = d }));
            await Eventually.UntilAsync(
                () => Task.FromResult(ids.TrueForAll(arrived.ContainsKey)), TestHttp.Patience, "the scheduled tasks have arrived");
            var late = ids.Zip(due, (id, d) => arrived[id] - d).ToList();
            late.ShouldAllBe(l => l >= TimeSpan.FromMicroseconds(-1)); // truncated to microseconds on its way
            return late.Min();
        }
    }

    [Fact]
    public async Task A_subscriber_sees_the_steps_of_every_task_in_order()
    {
        var steps = await _workers.SubscribeAsync();
        var ids = new List<Guid>();
        for (var i = 0; i < 10; i++)
            ids.AddRange(await Http.SubmitManyAsync(Enumerable.Range(0, 20).Select(_ => new { action = "zzz" })));
        await Eventually.UntilAsync(
            () => Task.FromResult(steps.Count(s => s.Event == nameof(TasksCompleted) && ids.Contains(s.Step.TaskId)) >= ids.Count),
            TestHttp.Patience, "all were completed");

        var byTask = steps.ToLookup(s => s.Step.TaskId);
        foreach (var id in ids)
        {
            // At least once: a dispatcher that takes over may repeat events, but never goes back.
            byTask[id].Select(s => s.Event).Distinct().ShouldBe([nameof(TasksSubmitted), nameof(TasksStarted), nameof(TasksCompleted)]);
            byTask[id].Select(s => s.Step.At).ShouldBeInOrder();
            byTask[id].ShouldAllBe(s => s.Step.Queue == "tasks" && s.Step.Tier == 0);
            byTask[id].Last().Step.Attempt.ShouldBe(1);
            byTask[id].Last().Step.Worker.ShouldNotBeNullOrEmpty();
        }
    }

    [Fact]
    public async Task A_subscriber_sees_failures_cancellations_and_expiries()
    {
        var steps = await _workers.SubscribeAsync();
        var cancelled = await Http.SubmitAsync(new { action = "a", queue = Queue });
        await Http.PostAsync($"/tasks/{cancelled}/cancel", "");
        var failed = await Http.SubmitAsync(new { action = "sum", data = new { numbers = "x" } });
        var expired = await Http.SubmitAsync(new { action = "a", queue = Queue, expires_at = TimeProvider.System.GetUtcNow() });
        var retrying = await Http.SubmitAsync(new { action = "a", queue = $"{Queue}:1" });
        await Http.ClaimAsync($"{Queue}:1");
        await Http.TellAsync("report", new { id = retrying, attempt = 1, outcome = "failed", error = "no luck" });

        await SeenAsync(nameof(TasksCancelled), cancelled);
        (await SeenAsync(nameof(TasksFailed), failed)).Error.ShouldBe("data.numbers must be a list of numbers");
        await SeenAsync(nameof(TasksExpired), expired);
        var step = await SeenAsync(nameof(TasksRetrying), retrying);
        step.Error.ShouldBe("no luck");
        (step.DueAt - step.At).ShouldBe(TimeSpan.FromSeconds(2));

        Task<TaskStep> SeenAsync(string name, Guid id) =>
            Eventually.UntilAsync(
                () => Task.FromResult<TaskStep?>(steps.FirstOrDefault(s => s.Event == name && s.Step.TaskId == id).Step), TestHttp.Patience,
                $"{name} of {id}");
    }

    private static ReportTasks Completed(DispatchedTask task, string worker, string result) =>
        new(worker, [new AttemptStarted(task.Id, task.Attempt)], [], [new AttemptOutcome(task.Id, task.Attempt, result)]);

    private async Task DeclareAsync() => (await Http.PutAsync($"/queues/{Queue}", new { delivery = "push" })).Status.ShouldBe(201);
}
