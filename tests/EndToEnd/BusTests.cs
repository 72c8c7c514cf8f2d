using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Bus.Connection;
using TaskQueue.Contracts;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Producers, workers and subscribers on the bus that use only TaskQueue's contracts.</summary>
public abstract partial class BusTests(Stack stack) : IAsyncLifetime
{
    private readonly BusClient _client = new(stack.RabbitMq);

    private protected string Queue { get; } = $"q{Guid.NewGuid():N}";

    private protected HttpClient Http => stack.Http;

    private protected Stack Stack => stack;

    public Task InitializeAsync() => Task.CompletedTask;

    public virtual async Task DisposeAsync() => await _client.DisposeAsync();

    [Fact]
    public async Task A_producer_submits_tasks_with_ids_of_its_own()
    {
        var due = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1);
        var full = NewTask() with
        {
            Tier = 2, Name = "resize", Priority = Priority.High, ScheduledAt = due, ExpiresAt = due.AddHours(1), MaxAttempts = 9,
        };
        var plain = NewTask() with { Payload = """{"n":1}""" };
        await SubmitAsync(full, plain);
        (await AcceptedAsync(plain.Id)).GetProperty("payload").Whole("n").ShouldBe(1);

        var task = await Http.TaskAsync(full.Id);
        task.Text("queue").ShouldBe(Queue);
        task.Whole("tier").ShouldBe(2);
        task.Text("name").ShouldBe("resize");
        task.Text("priority").ShouldBe("high");
        task.Whole("max_attempts").ShouldBe(9);
        task.GetProperty("due_at").GetDateTime().ShouldBe(due, TimeSpan.FromMilliseconds(1));
        task.GetProperty("expires_at").GetDateTime().ShouldBe(due.AddHours(1), TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task Tasks_of_a_message_are_claimed_in_its_order_whatever_their_ids()
    {
        SubmittedTask[] tasks = [.. Enumerable.Range(0, 12).Select(_ => NewTask() with { Id = Guid.NewGuid() })];
        await SubmitAsync(tasks);
        await AcceptedAsync(tasks[0].Id);

        (await Http.ClaimAsync(Queue, max: 12)).Select(t => t.Id()).ShouldBe(tasks.Select(t => t.Id));
    }

    [Fact]
    public async Task A_redelivery_is_idempotent()
    {
        var first = NewTask() with { Payload = "1" };
        await SubmitAsync(first);
        await AcceptedAsync(first.Id);
        (await Http.ClaimAsync(Queue)).Single().Id().ShouldBe(first.Id);

        var last = NewTask();
        await SubmitAsync(first, first with { Payload = "2" }, last);
        await AcceptedAsync(last.Id);
        var task = await Http.TaskAsync(first.Id);
        task.Text("status").ShouldBe("running");
        task.GetProperty("payload").GetInt32().ShouldBe(1);
        task.GetProperty("timeline").GetArrayLength().ShouldBe(2);
    }

    [Fact]
    public async Task A_repeated_id_within_one_message_creates_one_task()
    {
        var task = NewTask() with { Payload = "1" };
        await SubmitAsync(task, task with { Payload = "2" });
        (await AcceptedAsync(task.Id)).GetProperty("timeline").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task A_duplicate_of_a_dedupe_key_changes_the_task_that_waits()
    {
        var first = NewTask() with { Payload = "1", DedupeKey = "k", OrderingKey = "t", LeaseSeconds = 60,
            Retry = new RetryPolicy { Intervals = [5, 7] } };
        var second = NewTask() with { Payload = "2", DedupeKey = "k", Overwrite = OverwriteFields.Payload };
        var last = NewTask();
        await SubmitAsync(first);
        await AcceptedAsync(first.Id);
        await SubmitAsync(second, last);
        await AcceptedAsync(last.Id);

        var task = await Http.TaskAsync(first.Id);
        (task.GetProperty("payload").GetInt32(), task.Text("dedupe_key"), task.Text("ordering_key"), task.Whole("max_attempts"))
            .ShouldBe((2, "k", "t", 3));
        (await Http.ReadAsync($"/tasks/{second.Id}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task A_payload_that_is_not_JSON_is_handed_out_as_text()
    {
        var task = NewTask() with { Payload = "not \"json\"" };
        await SubmitAsync(task);
        (await AcceptedAsync(task.Id)).Text("payload").ShouldBe("not \"json\"");
        (await Http.ClaimAsync(Queue)).Single().Text("payload").ShouldBe("not \"json\"");
    }

    [Fact]
    public async Task Valid_tasks_of_a_message_are_accepted_and_invalid_ones_are_quarantined_with_reasons()
    {
        var good = NewTask();
        SubmittedTask[] bad = [NewTask() with { Queue = "a b" }, NewTask() with { MaxAttempts = 0 }, NewTask() with { Payload = "\"\0\"" },
            NewTask() with { Tier = -1 },
            NewTask() with { CallbackUrl = "http://127.0.0.1/x" }, NewTask() with { LeaseSeconds = 1e300 },
            NewTask() with { ScheduledAt = DateTime.MaxValue }];
        await SubmitAsync([bad[0], good, .. bad[1..]]);
        await AcceptedAsync(good.Id);
        foreach (var task in bad)
        {
            (await Http.ReadAsync($"/tasks/{task.Id}")).Status.ShouldBe(404);
            var item = await SetAsideAsync($"SubmitTasks:{task.Id}");
            item.Reason.ShouldNotBeEmpty();
            item.State.ShouldNotBeNull().ShouldContain(task.Id.ToString());
        }
    }

    private protected SubmittedTask NewTask() => new(TaskId.New(TimeProvider.System), Queue, "{}");

    private protected Task SubmitAsync(params SubmittedTask[] tasks) =>
        SendAsync(Addresses.Submit, Addresses.SubmitQueue, new SubmitTasks(tasks));

    private protected Task ReportAsync(ReportTasks report) => SendAsync(Addresses.Report, Addresses.ReportQueue, report);

    /// <summary>A separate bus, as another program would have; in process there is only the server's.</summary>
    private protected async Task<IBus> BusAsync() =>
        stack.RabbitMq is null ? stack.Host.Services.GetRequiredService<IBus>() : await _client.BusAsync();

    private protected async Task<System.Text.Json.JsonElement> AcceptedAsync(Guid id)
    {
        await Eventually.UntilAsync(
            async () => (await Http.ReadAsync($"/tasks/{id}")).Status == 200, TestHttp.Patience, $"task {id} is accepted");
        return await Http.TaskAsync(id);
    }

    private async Task SendAsync<T>(Uri address, string queue, T message)
        where T : class
    {
        var bus = await BusAsync();
        var endpoint = await bus.GetSendEndpoint(stack.RabbitMq is null ? new BusAddress(null as Uri).Of(queue) : address);
        await endpoint.Send(message);
    }

    private protected async Task<QuarantinedItem> SetAsideAsync(string subject)
    {
        QuarantinedItem? item = null;
        await Eventually.UntilAsync(async () =>
        {
            await using var db = stack.Database.CreateContext();
            return (item = await db.Set<QuarantinedItem>()
                .SingleOrDefaultAsync(i => i.Kind == "message" && i.Subject == subject)) is not null;
        }, TestHttp.Patience, $"{subject} is set aside");
        return item!;
    }
}

public sealed class BusOnSqlite(SqliteStack stack) : BusTests(stack), IClassFixture<SqliteStack>
{
    [Fact]
    public async Task A_push_queue_needs_a_broker() =>
        Problems.Expect(await Http.PutAsync($"/queues/{Queue}", new { delivery = "push" }), 409, "no_broker");
}

public sealed class BusOnServers(ServersStack stack) : PushTests(stack), IClassFixture<ServersStack>;

public sealed class BusOnSplitRoles(SplitStack stack) : PushTests(stack), IClassFixture<SplitStack>;
