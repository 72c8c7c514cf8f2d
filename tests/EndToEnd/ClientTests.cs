using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Payloads that producers send in these tests.</summary>
internal sealed record Parcel(string To, int Weight);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Parcel))]
internal sealed partial class ParcelJson : JsonSerializerContext;

/// <summary>The producer part of the .NET client, over HTTP.</summary>
public abstract class ClientTests(Stack stack) : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _queue = $"c{Guid.NewGuid():N}";
    private ServiceProvider _services = null!;

    private HttpClient Http => stack.Http;

    private TaskQueueClient Client => _services.GetRequiredService<TaskQueueClient>();

    public Task InitializeAsync()
    {
        _services = Services(Http.BaseAddress!);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync() => await _services.DisposeAsync();

    [Fact]
    public async Task Batches_schedules_and_callbacks_are_listed()
    {
        (await Client.BatchesAsync(_queue).ToListAsync()).ShouldBeEmpty();
        (await Client.GetBatchAsync("BATCH-1-2-3")).ShouldBeNull();
        (await Should.ThrowAsync<TaskQueueException>(() => Client.CancelBatchAsync("BATCH-1-2-3"))).Status.ShouldBe(404);

        await Http.PutAsync($"/queues/{_queue}", new { });
        await Http.PutAsync($"/queues/{_queue}/schedules/x", new { cron = "0 8 * * *", action = "ship", data = new { n = 1 } });
        var schedule = (await Client.SchedulesAsync().ToListAsync()).Single(s => s.Queue == _queue);
        (schedule.Name, schedule.Cron, schedule.TimeZone, schedule.Action, schedule.Paused, schedule.Next.Count)
            .ShouldBe(("x", "0 8 * * *", "UTC", "ship", false, 5));
        schedule.Data.GetProperty("n").GetInt32().ShouldBe(1);
        (await Client.NextTicksAsync(_queue, "x", 3)).ShouldBe(schedule.Next.Take(3));
        (await Client.PreviewScheduleAsync("30 12 * * *", "America/New_York", 2)).Count.ShouldBe(2);
        (await Client.CallbacksAsync(new CallbackQuery { Queue = _queue, State = "delivered" }).ToListAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_search_reads_all_pages_of_what_it_finds()
    {
        var sent = Enumerable.Range(0, 5).Select(n => new NewTask(_queue, "ship") { Tags = ["eu", $"n{n}"] }).ToList();
        await Client.EnqueueManyAsync(sent.Append(new NewTask(_queue, "ship")));
        var search = new TaskSearch
        {
            Queue = _queue, Tags = ["eu"], Name = "ship", Statuses = [QueuedTaskStatus.Pending, QueuedTaskStatus.Running], PageSize = 2,
            CreatedFrom = TimeProvider.System.GetUtcNow().AddHours(-1), CreatedTo = TimeProvider.System.GetUtcNow().AddHours(1),
        };

        var found = new List<FoundTask>();
        await foreach (var task in Client.SearchAsync(search))
            found.Add(task);

        found.ConvertAll(t => t.Id).ShouldBe(Enumerable.Reverse(sent).Select(t => t.Id));
        (found[0].Queue, found[0].Name, found[0].Status, found[0].Priority)
            .ShouldBe((_queue, "ship", QueuedTaskStatus.Pending, Priority.Normal));
        found[0].Tags.ShouldBe(["eu", "n4"]);
        (await Client.GetAsync(sent[0].Id)).ShouldNotBeNull().Tags.ShouldBe(["eu", "n0"]);
        var page = await Client.SearchPageAsync(search);
        (page.Tasks.Count, page.Total).ShouldBe((2, new TaskSearchTotal(5, Exact: true)));
        (await Client.SearchPageAsync(search, page.NextCursor)).Tasks.Select(t => t.Id).ShouldBe([sent[2].Id, sent[1].Id]);
        (await Should.ThrowAsync<TaskQueueException>(() => Client.SearchPageAsync(new TaskSearch { Queue = "a b" }))).Status.ShouldBe(400);
    }

    [Fact]
    public async Task Every_option_takes_effect()
    {
        var at = new DateTimeOffset(2040, 1, 2, 3, 4, 5, TimeSpan.FromHours(1));
        var sent = NewTask.Of(_queue, "ship", new Parcel("Ann \"A\"", 7), ParcelJson.Default.Parcel) with
        {
            Tier = 2, Priority = Priority.Critical, ScheduledAt = at, ExpiresAt = at.AddHours(1), MaxAttempts = 9, DedupeKey = "k",
            OrderingKey = "t",
            Lease = TimeSpan.FromSeconds(90), Retry = new RetryPolicy { FirstSeconds = 3, Factor = 1.5, CapSeconds = 60, Jitter = 0.1 },
            CallbackUrl = new Uri("https://example.org/done"),
        };

        (await Client.EnqueueAsync(sent)).ShouldBe(new EnqueuedTask(sent.Id, EnqueueResult.Queued));

        var task = (await Client.GetAsync(sent.Id)).ShouldNotBeNull();
        (task.Id, task.Queue, task.Tier, task.Name, task.Priority, task.Status)
            .ShouldBe((sent.Id, _queue, 2, "ship", Priority.Critical, QueuedTaskStatus.Pending));
        (task.DueAt, task.ExpiresAt, task.MaxAttempts, task.DedupeKey, task.OrderingKey)
            .ShouldBe((at.ToUniversalTime(), at.AddHours(1).ToUniversalTime(), 9, "k", "t"));
        task.Payload.GetProperty("data").Deserialize(ParcelJson.Default.Parcel).ShouldBe(new Parcel("Ann \"A\"", 7));
        task.Timeline.Select(s => s.Event).ShouldBe(["submitted"]);
        var row = await stack.Database.GetAsync(sent.Id);
        row.DefaultLeaseMs.ShouldBe(90_000);
        row.CompletionActions.ShouldNotBeNull().ShouldContain("https://example.org/done");
        row.Retry.ShouldNotBeNull().ShouldContain("1.5");
    }

    [Fact]
    public async Task Bulk_enqueues_are_split_into_thousands_and_answered_in_order()
    {
        var tasks = Enumerable.Range(0, 2_100).Select(i => new NewTask(_queue, "n") { Data = $"{i}", Priority = (Priority)(1 + (i % 4)) })
            .ToList();

        var answers = await Client.EnqueueManyAsync(tasks);

        answers.Select(a => a.Id).ShouldBe(tasks.Select(t => t.Id));
        answers.ShouldAllBe(a => a.Result == EnqueueResult.Queued);
        (await Client.EnqueueManyAsync(tasks[..3])).ShouldAllBe(a => a.Result == EnqueueResult.Duplicate);
        (await Http.ClaimAsync(_queue, max: 1000))
            .ShouldAllBe(t => t.GetProperty("priority").GetString() == "critical" || t.GetProperty("priority").GetString() == "high");
    }

    [Fact]
    public async Task Duplicates_are_reported_and_may_overwrite_the_task()
    {
        var first = new NewTask(_queue, "n") { Data = "1", DedupeKey = "k" };
        await Client.EnqueueAsync(first);

        (await Client.EnqueueAsync(new NewTask(_queue, "n") { DedupeKey = "k" }))
            .ShouldBe(new EnqueuedTask(first.Id, EnqueueResult.Duplicate));
        (await Client.EnqueueAsync(new NewTask(_queue, "n") { Data = "2", DedupeKey = "k", Overwrite = OverwriteFields.Payload }))
            .ShouldBe(new EnqueuedTask(first.Id, EnqueueResult.Updated));
        (await Client.GetAsync(first.Id))!.Payload.GetProperty("data").GetInt32().ShouldBe(2);
    }

    [Fact]
    public async Task An_enqueue_whose_answer_is_lost_is_sent_again_and_is_one_task()
    {
        await using var proxy = new CutProxy(Http.BaseAddress!, cuts: 2);
        await using var services = Services(proxy.Address);
        var task = new NewTask(_queue, "n");

        var answer = await services.GetRequiredService<TaskQueueClient>().EnqueueAsync(task);

        proxy.Left.ShouldBeLessThan(0);
        answer.ShouldBe(new EnqueuedTask(task.Id, EnqueueResult.Queued));
        (await Http.ClaimAsync(_queue, max: 10)).Select(t => t.Id()).ShouldBe([task.Id]);
    }

    [Fact]
    public async Task A_refusal_is_thrown_with_the_servers_message_and_not_retried()
    {
        var refused = await Should.ThrowAsync<TaskQueueException>(Client.EnqueueAsync(new NewTask("no such name!", "n")));
        (refused.Status, refused.IsTransient).ShouldBe((400, false));
        refused.Message.ShouldContain("queue must be a name");

        var many = await Should.ThrowAsync<TaskQueueException>(Client.EnqueueManyAsync([new NewTask(_queue, "n"),
            new NewTask(_queue, "n") { MaxAttempts = 0 }]));
        (many.Code, many.Message).ShouldBe(("invalid_task", "tasks[1]: max_attempts must be 1 to 100"));
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Unknown_tasks_are_null_and_cannot_be_changed()
    {
        var id = Guid.NewGuid();

        (await Client.GetAsync(id)).ShouldBeNull();
        (await Client.GetStatusAsync(id)).ShouldBeNull();
        (await Should.ThrowAsync<TaskQueueException>(Client.CancelAsync(id))).Code.ShouldBe("not_found");
        (await Should.ThrowAsync<TaskQueueException>(Client.WaitAsync(id, Patience))).Status.ShouldBe(404);
    }

    [Fact]
    public async Task The_result_is_awaited_and_deserialized()
    {
        var id = (await Client.EnqueueAsync(_queue, "ship", new Parcel("ann", 1), ParcelJson.Default.Parcel)).Id;
        (await Client.GetResultAsync(id, ParcelJson.Default.Parcel)).ShouldBeNull();
        var waiting = Client.WaitForResultAsync(id, ParcelJson.Default.Parcel, Patience);
        await Http.ClaimAsync(_queue);
        (await Client.GetStatusAsync(id)).ShouldBe(QueuedTaskStatus.Running);

        await Http.TellAsync("report", new { id, attempt = 1, outcome = "completed", result = new { to = "ben", weight = 2 } });

        (await waiting).ShouldBe(new Parcel("ben", 2));
        (await Client.GetResultAsync(id, ParcelJson.Default.Parcel)).ShouldBe(new Parcel("ben", 2));
    }

    [Fact]
    public async Task Waiting_for_the_result_of_a_failed_or_cancelled_task_throws()
    {
        var failed = (await Client.EnqueueAsync(new NewTask(_queue, "n"))).Id;
        await Http.ClaimAsync(_queue);
        await Http.TellAsync("report", new { id = failed, attempt = 1, outcome = "failed", error = "boom", retryable = false });
        var cancelled = (await Client.EnqueueAsync(new NewTask(_queue, "n"))).Id;
        await Client.CancelAsync(cancelled);

        (await Should.ThrowAsync<TaskNotCompletedException>(Client.WaitForResultAsync(failed, ParcelJson.Default.Parcel, Patience)))
            .Message.ShouldBe($"task {failed} is failed: boom");
        (await Should.ThrowAsync<TaskNotCompletedException>(Client.WaitForResultAsync(cancelled, ParcelJson.Default.Parcel, Patience)))
            .Task.Status.ShouldBe(QueuedTaskStatus.Cancelled);

        await Client.RetryAsync(cancelled);
        (await Client.GetStatusAsync(cancelled)).ShouldBe(QueuedTaskStatus.Pending);
        await Client.DeleteAsync(cancelled);
        (await Client.GetAsync(cancelled)).ShouldBeNull();
    }

    [Fact]
    public async Task A_wait_ends_when_its_time_is_over()
    {
        var id = (await Client.EnqueueAsync(new NewTask(_queue, "n"))).Id;

        (await Should.ThrowAsync<TimeoutException>(Client.WaitAsync(id, TimeSpan.FromMilliseconds(300)))).Message.ShouldContain("pending");
    }

    [Fact]
    public async Task Queues_are_read_paused_and_resumed()
    {
        (await Client.QueueAsync(_queue)).ShouldBeNull();
        await Http.PutAsync($"/queues/{_queue}", new { max_running = 3 });
        await Client.EnqueueAsync(new NewTask(_queue, "n"));

        var queue = (await Client.QueueAsync(_queue)).ShouldNotBeNull();
        (queue.Name, queue.Delivery, queue.MaxRunning, queue.Paused, queue.Counts!.Waiting).ShouldBe((_queue, "pull", 3, false, 1));
        (await Client.PauseAsync(_queue)).Paused.ShouldBeTrue();
        (await Client.ResumeAsync(_queue)).Paused.ShouldBeFalse();
        (await Client.QueuesAsync()).Select(q => q.Name).ShouldContain(_queue);
        (await Should.ThrowAsync<TaskQueueException>(Client.PauseAsync($"{_queue}x"))).Status.ShouldBe(404);
    }

    [Theory]
    [InlineData("ftp://localhost", null)]
    [InlineData("http://localhost", "a key")]
    public void Invalid_options_are_refused_with_a_message(string address, string? key)
    {
        using var services = new ServiceCollection().AddTaskQueueClient(o => (o.BaseAddress, o.ApiKey) = (new Uri(address), key))
            .BuildServiceProvider();

        Should.Throw<OptionsValidationException>(() => services.GetRequiredService<TaskQueueClient>())
            .Message.ShouldContain("TaskQueueClientOptions.");
    }

    private static ServiceProvider Services(Uri server) =>
        new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = server).BuildServiceProvider();
}

/// <summary>The client against SQLite.</summary>
public sealed class SqliteClientTests(SqliteStack stack) : ClientTests(stack), IClassFixture<SqliteStack>;

/// <summary>The client against PostgreSQL and RabbitMQ.</summary>
public sealed class ServersClientTests(ServersStack stack) : ClientTests(stack), IClassFixture<ServersStack>;
