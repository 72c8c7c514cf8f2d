using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using TaskQueue.Tests.Unit;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Typed handlers of .NET workers against a server: what reaches the next attempt, and when it runs.</summary>
public sealed class HandlerWorkerTests(ServersStack stack) : IClassFixture<ServersStack>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly double[] Soon = [0.1, 0.1];

    private readonly string _queue = $"h{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    [Theory]
    [InlineData("pull")]
    [InlineData("push")]
    public async Task A_checkpoint_reaches_the_next_attempt_after_a_failure_a_snooze_and_a_retry_by_hand(string delivery)
    {
        await DeclareAsync(delivery);
        var seen = new List<Person?>();
        await using var worker = await StartAsync(delivery, o =>
            o.AddProcessor<Person, Person>("count", PersonJson.Default.Person, PersonJson.Default.Person, async (_, task, token) =>
            {
                var last = task.Checkpoint(PersonJson.Default.Person);
                seen.Add(last);
                var next = new Person("rows", (last?.Age ?? 0) + 1);
                await task.SaveCheckpointAsync(next, PersonJson.Default.Person, token);
                throw new TaskOutcomeException(next.Age switch
                {
                    1 => TaskOutcome.Retry("once more"),
                    2 => TaskOutcome.Snooze(TimeSpan.Zero),
                    3 => TaskOutcome.Failed("for good"),
                    _ => TaskOutcome.Completed(next, PersonJson.Default.Person),
                });
            }));
        var id = await Http.SubmitAsync(
            new { queue = _queue, action = "count", data = new { name = "x" }, retry = new { intervals = Soon } });

        (await Http.TaskAsync(id, "failed")).GetProperty("progress").GetProperty("$checkpoint").Whole("age").ShouldBe(3);
        (await Http.PostAsync($"/tasks/{id}/retry", "")).Status.ShouldBe(200);

        (await Http.TaskAsync(id, "completed")).GetProperty("result").Whole("age").ShouldBe(4);
        seen.Select(p => p?.Age).ShouldBe([null, 1, 2, 3]);
    }

    [Fact]
    public async Task A_claim_returns_what_an_attempt_reported_whose_lease_expired()
    {
        await DeclareAsync("pull");
        var id = await Http.SubmitAsync(new { queue = _queue, action = "a" });
        var first = (await Http.ClaimAsync(_queue, lease_seconds: 60))[0];
        first.TryGetProperty("progress", out _).ShouldBeFalse();
        (await Http.TellAsync("heartbeat", new { id, attempt = 1, progress = new { row = 17 }, lease_seconds = 1 })).ShouldBe(["ok"]);

        JsonElement second = default;
        await Eventually.UntilAsync(async () =>
        {
            var claimed = await Http.ClaimAsync(_queue, wait_seconds: 2);
            second = claimed.FirstOrDefault();
            return claimed.Count > 0;
        }, Patience, "the lease has expired");

        (second.Whole("attempt"), second.GetProperty("progress").Whole("row")).ShouldBe((2, 17));
    }

    [Theory]
    [InlineData("pull")]
    [InlineData("push")]
    public async Task A_failed_attempt_is_followed_by_the_next_when_it_or_its_handler_says(string delivery)
    {
        await DeclareAsync(delivery);
        await using var worker = await StartAsync(delivery, o =>
        {
            o.AddProcessor("asks", (_, _) => Task.FromResult(TaskOutcome.Retry("busy", TimeSpan.FromHours(1))));
            o.AddProcessor("policy", (_, _) => throw new InvalidOperationException("boom"));
            o.HandlerOptions("policy").Retry = new RetryPolicy { Intervals = [7200] };
        });
        foreach (var (name, error, wait) in new[] { ("asks", "busy", TimeSpan.FromHours(1)), ("policy", "boom", TimeSpan.FromHours(2)) })
        {
            var id = await Http.SubmitAsync(new { queue = _queue, action = name, retry = new { intervals = Soon } });
            var task = await Http.TaskAsync(id, "retrying");
            (task.Whole("attempt"), task.Text("error")).ShouldBe((1, error));
            (task.GetProperty("due_at").GetDateTimeOffset() - task.GetProperty("started_at").GetDateTimeOffset())
                .ShouldBe(wait, TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    public async Task A_snooze_uses_no_attempt_and_a_retry_is_no_attempt_too_many()
    {
        await DeclareAsync("pull");
        var runs = 0;
        await using var worker = await StartAsync("pull", o =>
        {
            o.AddProcessor<Person, int>("snoozes", PersonJson.Default.Person, CountJson.Default.Int32, (_, _, _) =>
                Interlocked.Increment(ref runs) < 3 ? throw new TaskOutcomeException(TaskOutcome.Snooze(TimeSpan.FromMilliseconds(10)))
                    : Task.FromResult(runs));
            o.AddProcessor("tries", (_, _) => Task.FromResult(TaskOutcome.Retry("again", TimeSpan.Zero)));
        });
        var snoozed = await Http.SubmitAsync(new { queue = _queue, action = "snoozes", data = new { name = "x" }, max_attempts = 1 });
        var tried = await Http.SubmitAsync(new { queue = _queue, action = "tries", max_attempts = 2 });

        (await Http.TaskAsync(snoozed, "completed")).Whole("result").ShouldBe(3);
        (await Http.TaskAsync(tried, "failed")).Whole("attempt").ShouldBe(2);
    }

    [Fact]
    public async Task A_delay_that_cannot_be_is_refused_with_what_to_change()
    {
        var id = Guid.NewGuid();
        foreach (var (entry, problem) in new (object, string)[]
        {
            (new { id, attempt = 1, outcome = "failed", error = "x", retry_after_seconds = -1 }, "retry_after_seconds must be 0 to"),
            (new { id, attempt = 1, outcome = "failed", error = "x", retry_after_seconds = 2_592_001 }, "retry_after_seconds must be 0 to"),
            (new { id, attempt = 1, outcome = "snoozed", retry_after_seconds = 1 }, "a snoozed task has delay_seconds"),
            (new { id, attempt = 1, outcome = "completed", retry_after_seconds = 1 }, "is for a failed attempt"),
        })
        {
            var reply = await Http.PostAsync("/workers/report", new { tasks = new[] { entry } });
            (reply.Status, reply.Text.Contains(problem, StringComparison.Ordinal)).ShouldBe((400, true), reply.Text);
        }
    }

    [Fact]
    public async Task Producers_run_their_middleware_once_a_task_and_share_the_configured_http_client_with_workers()
    {
        await DeclareAsync("pull");
        var requests = new List<string>();
        var measured = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == ClientTelemetry.MeterName)
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Note(instrument, tags));
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Note(instrument, tags));
        listener.Start();
        await using var worker = await StartAsync("pull",
            o => o.AddProcessor("a", (task, _) => Task.FromResult(TaskOutcome.CompletedJson($"\"{string.Join(',', task.Tags)}\""))),
            services => services.AddSingleton<IEnqueueMiddleware>(new Tagging())
                .ConfigureTaskQueueHttpClient(http => http.AddHttpMessageHandler(() => new Recording(requests))));
        var client = worker.Services.GetRequiredService<TaskQueueClient>();

        var one = await client.EnqueueAsync(new NewTask(_queue, "a"));
        var many = await client.EnqueueManyAsync([new NewTask(_queue, "a"), new NewTask(_queue, "a")]);

        foreach (var task in many.Prepend(one))
            (await client.WaitForResultAsync(task.Id, PersonJson.Default.String, Patience)).ShouldBe("tenant-1");
        lock (requests)
        {
            requests.Count(r => r == "/tasks").ShouldBe(2);
            ((List<string>)["/tasks", "/tasks/bulk", "/workers/claim"]).ShouldBeSubsetOf(requests);
        }

        await Eventually.UntilAsync(() =>
        {
            lock (measured)
                return Task.FromResult(measured.Contains("messaging.process.duration completed"));
        }, Patience, "the attempts are measured");
        lock (measured)
            measured.ShouldContain("messaging.client.sent.messages ");

        void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var (queue, outcome) = ("", "");
            foreach (var (key, value) in tags)
            {
                if (key == "messaging.destination.name")
                    queue = $"{value}";
                else if (key == "taskqueue.outcome")
                    outcome = $"{value}";
            }

            lock (measured)
            {
                if (queue == _queue)
                    measured.Add($"{instrument.Name} {outcome}");
            }
        }
    }

    [Fact]
    public async Task Settings_of_a_queue_are_read_and_one_is_changed()
    {
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = Http.BaseAddress!)
            .BuildServiceProvider();
        var client = services.GetRequiredService<TaskQueueClient>();
        var declaration = new QueueDeclaration
        {
            Push = false, Description = "mails", Lease = TimeSpan.FromSeconds(30), MaxAttempts = 7, MaxRunning = 4, Rate = 5,
            RateInterval = TimeSpan.FromSeconds(2), MaxCrashes = 2, MaxDeadLetters = 100, KeepFinished = TimeSpan.FromHours(1),
            Events = "terminal", ExpireAfter = TimeSpan.FromDays(1), DeadLetterRetention = TimeSpan.FromDays(3),
            Tiers = new Dictionary<int, TierSettings> { [2] = new() { MaxAttempts = 1, Priority = Priority.Low } },
        };
        await client.DeclareQueueAsync(_queue, declaration);
        var read = (await client.QueueAsync(_queue)).ShouldNotBeNull();
        (read.Settings.Tiers[2].MaxAttempts, read.Settings.Tiers[2].Priority).ShouldBe((1, Priority.Low));
        (read.Settings with { Tiers = declaration.Tiers, Paused = null, ExpectedVersion = null }).ShouldBe(declaration);

        (await client.DeclareQueueAsync(_queue, read.Settings with { MaxRunning = 5 })).Settings.MaxRunning.ShouldBe(5);
        (await Should.ThrowAsync<TaskQueueException>(client.DeclareQueueAsync(_queue, read.Settings))).Status.ShouldBe(409);

        await client.ScheduleAsync(_queue, "s", new NewSchedule("0 8 * * *", "a") { MaxAttempts = 2, Lease = TimeSpan.FromSeconds(9) });
        (await client.PauseScheduleAsync(_queue, "s")).Paused.ShouldBeTrue();
        var schedule = (await client.QueueSchedulesAsync(_queue)).ShouldHaveSingleItem();
        (schedule.Paused, schedule.MaxAttempts, schedule.Lease).ShouldBe((true, 2, TimeSpan.FromSeconds(9)));
        (await client.ResumeScheduleAsync(_queue, "s")).Paused.ShouldBeFalse();

        var task = await client.EnqueueAsync(new NewTask(_queue, "a"));
        (await client.QueueTasksAsync(_queue, QueueTaskList.Waiting).ToListAsync()).ShouldHaveSingleItem().Id.ShouldBe(task.Id);
        (await client.QueueTasksAsync(_queue, QueueTaskList.Dead).ToListAsync()).ShouldBeEmpty();
        (await client.ScalingAsync(_queue, within: TimeSpan.FromSeconds(30))).WithinSeconds.ShouldBe(30);
    }

    private async Task DeclareAsync(string delivery) => (await Http.PutAsync($"/queues/{_queue}", new { delivery })).Status.ShouldBe(201);

    private Task<WorkerRun> StartAsync(
        string delivery, Action<TaskQueueWorkerOptions> configure, Action<IServiceCollection>? services = null) =>
        WorkerRun.StartAsync(Http.BaseAddress!, o =>
        {
            o.Queues.Add(_queue);
            if (delivery == "push")
                o.UseRabbitMq(new Uri(stack.RabbitMq!));
            configure(o);
        }, services);

    private sealed class Tagging : IEnqueueMiddleware
    {
        public ValueTask<NewTask> BeforeEnqueueAsync(NewTask task, CancellationToken cancellationToken) =>
            ValueTask.FromResult(task with { Tags = [.. task.Tags, $"tenant-{task.Tags.Count + 1}"] });
    }

    private sealed class Recording(List<string> requests) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            lock (requests)
            {
                requests.Add(request.RequestUri!.AbsolutePath);
                if (requests.Count(r => r == "/tasks") == 1 && request.RequestUri.AbsolutePath == "/tasks")
                    return Task.FromResult(new HttpResponseMessage(System.Net.HttpStatusCode.ServiceUnavailable)); // so it is repeated
            }

            return base.SendAsync(request, cancellationToken);
        }
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(int))]
internal sealed partial class CountJson : System.Text.Json.Serialization.JsonSerializerContext;
