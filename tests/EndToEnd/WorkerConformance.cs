using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The behaviour of a .NET client worker on every transport.</summary>
public abstract partial class WorkerConformance(Stack stack)
{
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly double[] Soon = [0.1, 0.1];

    protected string Queue { get; } = $"w{Guid.NewGuid():N}";

    protected HttpClient Http => stack.Http;

    protected Stack Stack => stack;

    /// <summary>pull or push.</summary>
    protected abstract string Delivery { get; }

    protected abstract void Configure(TaskQueueWorkerOptions options);

    [Fact]
    public async Task Only_the_processor_of_exactly_the_name_runs_and_the_last_one_added_wins()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o =>
        {
            o.UnknownNames = UnknownNames.Fail;
            o.AddProcessor("a", (_, _) => Task.FromResult(TaskOutcome.CompletedJson("\"first\"")));
            o.AddProcessor("a", (_, _) => Task.FromResult(TaskOutcome.CompletedJson("\"second\"")));
        });
        var a = await SubmitAsync("a");
        var others = new[] { await SubmitAsync("a.b"), await SubmitAsync("A") };

        (await Http.TaskAsync(a, "completed")).Text("result").ShouldBe("second");
        foreach (var other in others)
        {
            var task = await Http.TaskAsync(other, "failed");
            task.Whole("attempt").ShouldBe(1);
            task.Text("error")!.ShouldContain("no processor");
        }
    }

    [Fact]
    public async Task F02_A_name_without_a_processor_fails_with_an_error_that_lists_them_and_is_a_dead_letter()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o => o.AddProcessor("send", (_, _) => Task.FromResult(TaskOutcome.Completed())));
        var task = await Http.TaskAsync(await SubmitAsync("sned", data: new { x = 1 }), "failed");
        (task.Whole("attempt"), task.GetProperty("dead_letter").GetBoolean()).ShouldBe((1, true));
        task.Text("error")!.ShouldContain("no processor for 'sned'; it has send");
    }

    [Fact]
    public async Task A_name_without_a_processor_can_complete_with_its_payload()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o => o.UnknownNames = UnknownNames.Echo);
        var task = await Http.TaskAsync(await SubmitAsync("nobody", data: new { x = 1 }), "completed");
        task.GetProperty("result").GetProperty("data").Whole("x").ShouldBe(1);
    }

    [Fact]
    public async Task A_task_without_a_processor_can_be_released_for_another_worker()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o => o.UnknownNames = UnknownNames.Release);
        var id = await SubmitAsync("nobody");
        await Eventually.UntilAsync(async () => (await TimelineAsync(id)).Contains("snoozed"), Patience, "the task was given back");
        (await Http.TaskAsync(id)).Text("status").ShouldBe("pending");
    }

    [Fact]
    public async Task A_returned_failure_is_final()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o => o.AddProcessor("a", (_, _) => Task.FromResult(TaskOutcome.Failed("x"))));
        var task = await Http.TaskAsync(await SubmitAsync("a"), "failed");
        task.Text("error").ShouldBe("x");
        task.Whole("attempt").ShouldBe(1);
    }

    [Fact]
    public async Task What_a_processor_logs_is_kept_with_its_task_over_all_attempts()
    {
        await DeclareAsync();
        var goOn = new TaskCompletionSource();
        await using var worker = await StartAsync(o => o.AddProcessor("a", async (context, _) =>
        {
            context.Log($"attempt {context.Attempt} begins");
            context.Log("careful", TaskLogLevel.Warning);
            if (context.Attempt == 1)
                throw new InvalidOperationException("boom");
            await goOn.Task; // a heartbeat carries the lines
            context.Log(new string('x', 20_000), TaskLogLevel.Error);
            return TaskOutcome.CompletedJson("1");
        }));
        var id = await SubmitAsync("a", retry: new { intervals = Soon });

        await Eventually.UntilAsync(async () => (await LogAsync(id)).Count == 4, Patience,
            "the second attempt's lines arrive while it runs");
        goOn.SetResult();
        (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(2);
        await Eventually.UntilAsync(async () => (await LogAsync(id)).Count == 5, Patience, "the last line arrives");
        var log = await LogAsync(id);
        log.Select(l => (l.Attempt, l.Level)).ShouldBe([(1, TaskLogLevel.Info), (1, TaskLogLevel.Warning), (2, TaskLogLevel.Info),
            (2, TaskLogLevel.Warning), (2, TaskLogLevel.Error)]);
        log.Select(l => l.Message[..Math.Min(20, l.Message.Length)]).ShouldBe(
            ["attempt 1 begins", "careful", "attempt 2 begins", "careful", new string('x', 20)]);
        log[^1].Message.Length.ShouldBe(8192);
    }

    [Fact]
    public async Task Exceptions_of_processors_are_grouped_by_type_with_their_stacks()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o => o.AddProcessor("a", (context, _) =>
            throw new InvalidOperationException($"row {context.Attempt} of '{context.Id}' is broken")));
        var retry = new { intervals = Soon };
        var ids = new[] { await SubmitAsync("a", retry: retry), await SubmitAsync("a", retry: retry) };
        foreach (var id in ids)
            await Http.TaskAsync(id, "failed");

        await using var client = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = Http.BaseAddress!).BuildServiceProvider();
        var failures = client.GetRequiredService<TaskQueueClient>();
        FailureGroup? group = null;
        await Eventually.UntilAsync(async () =>
        {
            await foreach (var found in failures.FailuresAsync(new FailureQuery { Queue = Queue }))
                group = found;
            return group?.Count == 6;
        }, Patience, "all six failures are in one group");
        (group!.Kind, group.ErrorType, group.Message, group.Name, group.State).ShouldBe(
            ("error", "System.InvalidOperationException", "row <n> of <text> is broken", "a", "open"));
        group.SampleTaskIds.ShouldBeSubsetOf(ids);
        var details = (await failures.GetFailureAsync(group.Id)).ShouldNotBeNull();
        details.Samples.Count.ShouldBe(5);
        details.Samples[0].Stack.ShouldNotBeNull().ShouldContain(nameof(Exceptions_of_processors_are_grouped_by_type_with_their_stacks));
        (await failures.DecideFailureAsync(group.Id, FailureDecision.Resolve)).State.ShouldBe("resolved");
    }

    private async Task<List<TaskLogLine>> LogAsync(Guid id)
    {
        await using var client = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = Http.BaseAddress!).BuildServiceProvider();
        var lines = new List<TaskLogLine>();
        await foreach (var line in client.GetRequiredService<TaskQueueClient>().LogsAsync(id))
            lines.Add(line);
        return lines;
    }

    [Fact]
    public async Task A_task_whose_processor_throws_is_retried_until_no_attempt_is_left()
    {
        await DeclareAsync();
        var runs = 0;
        await using var worker = await StartAsync(o =>
        {
            o.AddProcessor("always", (_, _) => throw new InvalidOperationException("boom"));
            o.AddProcessor("twice", (_, _) => Interlocked.Increment(ref runs) <= 2
                ? throw new InvalidOperationException("boom")
                : Task.FromResult(TaskOutcome.CompletedJson("3")));
        });
        var always = await SubmitAsync("always", retry: new { intervals = Soon });
        var twice = await SubmitAsync("twice", retry: new { intervals = Soon });

        var failed = await Http.TaskAsync(always, "failed");
        failed.Text("error")!.ShouldContain("boom");
        failed.Whole("attempt").ShouldBe(3);
        (await Http.TaskAsync(twice, "completed")).Whole("result").ShouldBe(3);
    }

    [Fact]
    public async Task Typed_processors_read_the_data_and_a_payload_they_cannot_read_fails_for_good()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o => o.AddProcessor(
            "add", SumJson.Default.SumInput, SumJson.Default.SumOutput, (input, _, _) =>
                Task.FromResult(new SumOutput((input.Left ?? 0) + (input.Right ?? 0)))));
        var sum = await SubmitAsync("add", data: new { Left = 1, Right = 2 });
        var nothing = await SubmitAsync("add");
        var poison = await SubmitAsync("add", data: "no object");
        var after = await SubmitAsync("add", data: new { Left = 5 });

        (await Http.TaskAsync(sum, "completed")).GetProperty("result").Whole("Sum").ShouldBe(3);
        (await Http.TaskAsync(nothing, "completed")).GetProperty("result").Whole("Sum").ShouldBe(0);
        var failed = await Http.TaskAsync(poison, "failed");
        failed.Whole("attempt").ShouldBe(1);
        failed.Text("error")!.ShouldContain("payload");
        (await Http.TaskAsync(after, "completed")).GetProperty("result").Whole("Sum").ShouldBe(5);
    }

    [Fact]
    public async Task Handlers_are_created_once_per_task_in_their_own_scope()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o => o.AddProcessor<ScopedHandler>("a"), s => s.AddScoped<ScopedThing>());
        var results = new List<string?>();
        foreach (var id in new[] { await SubmitAsync("a"), await SubmitAsync("a") })
            results.Add((await Http.TaskAsync(id, "completed")).Text("result"));
        results.Distinct().Count().ShouldBe(2);
    }

    [Fact]
    public async Task A_snoozed_task_runs_again_without_counting_an_attempt()
    {
        await DeclareAsync();
        var runs = 0;
        await using var worker = await StartAsync(o => o.AddProcessor("a", (_, _) => Task.FromResult(
            Interlocked.Increment(ref runs) <= 3 ? TaskOutcome.Snooze(TimeSpan.FromMilliseconds(50)) : TaskOutcome.CompletedJson("true"))));
        await Http.TaskAsync(await SubmitAsync("a", attempts: 1), "completed");
        runs.ShouldBe(4);
    }

    [Fact]
    public async Task Progress_is_seen_while_the_task_runs_and_a_lease_outlives_long_work()
    {
        await DeclareAsync();
        var goOn = new TaskCompletionSource();
        var runs = 0;
        var lease = TimeSpan.FromSeconds(6);
        await using var worker = await StartAsync(o =>
        {
            o.Lease = lease;
            o.AddProcessor("a", async (task, _) =>
            {
                Interlocked.Increment(ref runs);
                await task.ReportProgressAsync("""{"done":0.5}""");
                await goOn.Task;
                return TaskOutcome.CompletedJson("true");
            });
        });
        var id = await SubmitAsync("a");
        await Eventually.UntilAsync(
            async () =>
                (await Http.TaskAsync(id)).GetProperty("progress") is { ValueKind: System.Text.Json.JsonValueKind.Object } p
                    && p.GetProperty("done").GetDouble() == 0.5,
            Patience, "the progress shows");
        await Http.OutlivesLeaseAsync(id, lease);
        goOn.SetResult();

        (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
        runs.ShouldBe(1);
    }

    [Fact]
    public async Task A_cancel_reaches_the_processor_and_its_outcome_is_dropped()
    {
        await DeclareAsync();
        var cancelled = new TaskCompletionSource<bool>();
        var started = new TaskCompletionSource();
        await using var worker = await StartAsync(o =>
        {
            o.UnknownNames = UnknownNames.Echo;
            o.Lease = TimeSpan.FromSeconds(1);
            o.AddProcessor("a", async (task, cancellationToken) =>
            {
                started.TrySetResult();
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancelled.TrySetResult(task.LeaseLost);
                return TaskOutcome.CompletedJson("\"too late\"");
            });
        });
        var id = await SubmitAsync("a");
        await started.Task.WaitAsync(Patience);
        await Http.TaskAsync(id, "running");
        (await Http.PostAsync($"/tasks/{id}/cancel", "")).Status.ShouldBe(200);

        (await cancelled.Task.WaitAsync(Patience)).ShouldBeTrue();
        var after = await SubmitAsync("nobody");
        await Http.TaskAsync(after, "completed"); // what ran before it has been reported
        (await Http.TaskAsync(id)).Text("status").ShouldBe("cancelled");
    }

    [Fact]
    public async Task An_attempt_that_runs_too_long_is_cancelled_and_tried_again()
    {
        await DeclareAsync();
        var cancelled = new TaskCompletionSource();
        await using var worker = await StartAsync(o =>
        {
            o.RunTimeLimit = TimeSpan.FromSeconds(1);
            o.AddProcessor("a", async (task, cancellationToken) =>
            {
                if (task.Attempt == 1)
                {
                    await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    cancelled.TrySetResult();
                }

                return TaskOutcome.CompletedJson("\"in time\"");
            });
        });
        var id = await SubmitAsync("a", retry: new { intervals = Soon });

        var task = await Http.TaskAsync(id, "completed");
        (task.Whole("attempt"), task.Text("result")).ShouldBe((2, "in time"));
        cancelled.Task.IsCompleted.ShouldBeTrue();
        task.GetProperty("timeline").GetRawText().ShouldContain("the attempt ran longer than 00:00:01");
    }

    /// <summary>How many tasks of a full worker the engine counts as running.</summary>
    protected abstract int ExpectedOut { get; }

    private protected Task<WorkerRun> StartAsync(Action<TaskQueueWorkerOptions> configure, Action<IServiceCollection>? services = null) =>
        WorkerRun.StartAsync(Http.BaseAddress!, o => ConfigureAll(o, configure), services);

    private protected void ConfigureAll(TaskQueueWorkerOptions options, Action<TaskQueueWorkerOptions> configure)
    {
        options.Queues.Add(Queue);
        Configure(options);
        configure(options);
    }

    protected async Task DeclareAsync() => (await Http.PutAsync($"/queues/{Queue}", new { delivery = Delivery })).Status.ShouldBe(201);

    protected Task<Guid> SubmitAsync(string action, object? data = null, object? retry = null, int? attempts = null)
    {
        var body = new Dictionary<string, object> { ["action"] = action, ["queue"] = Queue };
        if (data is not null)
            body["data"] = data;
        if (retry is not null)
            body["retry"] = retry;
        if (attempts is { } most)
            body["max_attempts"] = most;
        return Http.SubmitAsync(body);
    }

    protected async Task<List<string?>> TimelineAsync(Guid id) =>
        [.. (await Http.TaskAsync(id)).GetProperty("timeline").EnumerateArray().Select(e => e.Text("event"))];

    private Task<int> OutAsync(IEnumerable<Guid> ids) => CountAsync(ids, "running");

    private Task<int> CompletedAsync(IEnumerable<Guid> ids) => CountAsync(ids, "completed");

    private async Task<int> CountAsync(IEnumerable<Guid> ids, string status)
    {
        var tasks = await Task.WhenAll(ids.Select(Http.TaskAsync));
        return tasks.Count(t => t.Text("status") == status);
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); seen < value; seen = Volatile.Read(ref most))
            Interlocked.CompareExchange(ref most, value, seen);
    }

    internal sealed record SumInput(int? Left, int? Right);

    internal sealed record SumOutput(int Sum);

    [JsonSerializable(typeof(SumInput))]
    [JsonSerializable(typeof(SumOutput))]
    internal sealed partial class SumJson : JsonSerializerContext;

    private sealed class ScopedThing
    {
        public string Id { get; } = Guid.NewGuid().ToString();
    }

    private sealed class ScopedHandler(ScopedThing thing) : ITaskHandler
    {
        public Task<TaskOutcome> ProcessAsync(TaskContext task, CancellationToken cancellationToken) =>
            Task.FromResult(TaskOutcome.CompletedJson($"\"{thing.Id}\""));
    }
}
