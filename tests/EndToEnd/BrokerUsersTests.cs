using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What each user of deploy/rabbitmq/definitions.json can do on a real broker, and what it cannot.</summary>
public sealed class BrokerUsersTests(BrokerUsers users) : IClassFixture<BrokerUsers>
{
    private const string Queue = "shop";

    [Fact]
    public async Task A_producer_submits_for_its_tenant_and_a_worker_runs_reports_and_receives_a_cancel()
    {
        await DeclareAsync();
        var begun = new TaskCompletionSource<Guid>(TaskCreationOptions.RunContinuationsAsynchronously);
        var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var worker = await WorkerRun.StartAsync(users.Http.BaseAddress!, options =>
        {
            options.Queues.Add(Queue);
            options.UseRabbitMq(users.AddressOf("shop-worker"));
            options.AddProcessor("quick", (_, _) => Task.FromResult(TaskOutcome.CompletedJson("\"done\"")));
            options.AddProcessor("slow", async (task, cancellationToken) =>
            {
                begun.TrySetResult(task.Id);
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancelled.TrySetResult();
                return TaskOutcome.Completed();
            });
        });
        await using var producer = await ProducerAsync("shop");

        var quick = (await producer.SendAsync(new NewTask(Queue, "quick"))).Id;
        await AcceptedAsync(quick);
        (await users.Http.TaskAsync(quick, "completed")).Text("result").ShouldBe("done");
        (await users.Database.GetAsync(quick)).Owner.ShouldBe("ann");
        (await users.Database.GetAsync(quick)).ClaimedBy.ShouldBe(Engine.Auth.Credentials.OfBusUser("shop-worker"));

        var slow = (await producer.SendAsync(new NewTask(Queue, "slow"))).Id;
        (await begun.Task.WaitAsync(TestHttp.Patience)).ShouldBe(slow);
        await users.Http.TaskAsync(slow, "running");
        (await users.Http.PostAsync($"/tasks/{slow}/cancel", "")).Status.ShouldBeLessThan(300);
        await cancelled.Task.WaitAsync(TestHttp.Patience);
    }

    [Fact]
    public async Task The_servers_own_users_can_run_built_in_tasks()
    {
        await using var producer = await ProducerAsync("shop");
        var id = (await producer.SendAsync(new NewTask("tasks", "uppercase") { Data = """{"text":"a"}""" })).Id;
        await AcceptedAsync(id);
        await users.Http.TaskAsync(id, "completed");
    }

    [Fact]
    public async Task A_submission_to_a_queue_that_the_producer_may_not_use_is_quarantined()
    {
        await using var producer = await ProducerAsync("shop");
        var id = (await producer.SendAsync(new NewTask("mail", "n"))).Id;
        (await SetAsideAsync($"SubmitTasks:{id}:ann")).Reason.ShouldBe("user 'shop' may not submit to queue mail");
        (await users.Http.ReadAsync($"/tasks/{id}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task A_message_over_the_quota_is_accepted_up_to_the_quota_and_the_rest_is_quarantined()
    {
        var ids = Enumerable.Range(0, BrokerUsers.MaxWaiting + 5).Select(_ => TaskId.New(TimeProvider.System)).ToList();
        var entries = string.Join(',', ids.Select(id =>
            $$"""{"id":"{{id}}","queue":"shop","payload":"{}","scheduledAt":"2100-01-01T00:00:00Z"}"""));
        await PublishAsync("shop", Addresses.SubmitQueue,
            $$"""{"messageType":["urn:message:TaskQueue.Contracts:SubmitTasks"],"message":{"tasks":[{{entries}}]} }""", "shop");
        var refused = await SetAsideAsync($"SubmitTasks:{ids[^1]}:ann");
        refused.Reason.ShouldContain($"{BrokerUsers.MaxWaiting}");
        refused.Owner.ShouldBe("ann");
        await AcceptedAsync(ids[0]);

        foreach (var id in ids)
            await users.Http.PostAsync($"/tasks/{id}/cancel", "");
        await using var producer = await ProducerAsync("shop");
        await Eventually.UntilAsync(async () =>
        {
            var tomorrow = TimeProvider.System.GetUtcNow().AddDays(1);
            var id = (await producer.SendAsync(new NewTask(Queue, "later") { ScheduledAt = tomorrow })).Id;
            var accepted = false;
            await Eventually.UntilAsync(
                async () => (accepted = (await users.Http.ReadAsync($"/tasks/{id}")).Status == 200)
                    || await FindAsync($"SubmitTasks:{id}:ann") is not null,
                TestHttp.Patience, "it is accepted or set aside");
            return accepted;
        }, TestHttp.Patience, "there is room again");
    }

    [Fact]
    public async Task Messages_from_unlisted_users_or_without_a_user_are_refused_and_kept()
    {
        var before = await users.DepthAsync("taskqueue-submit_error");
        await using var producer = await ProducerAsync("taskqueue-admin"); // may write anywhere, and is not a producer
        var id = (await producer.SendAsync(new NewTask(Queue, "n"))).Id;
        (await SetAsideAsync("SubmitTasks:sender:taskqueue-admin")).Reason.ShouldContain("TaskQueue:Bus:Producers");
        await using var client = new BusClient(users.Administrator);
        await (await (await client.BusAsync()).GetSendEndpoint(Addresses.Submit))
            .Send(new SubmitTasks([new SubmittedTask(Guid.NewGuid(), Queue, "{}")]));
        (await SetAsideAsync("SubmitTasks:sender:")).Reason.ShouldContain("user_id");

        await Eventually.UntilAsync(
            async () => await users.DepthAsync("taskqueue-submit_error") >= before + 2, TestHttp.Patience, "both messages are kept");
        (await users.Http.ReadAsync($"/tasks/{id}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task An_unreadable_message_of_a_producer_is_moved_by_the_server_and_blocks_no_other()
    {
        var before = await users.DepthAsync("taskqueue-submit_error");
        await PublishAsync("shop", Addresses.SubmitQueue, "no JSON", "shop");
        await Eventually.UntilAsync(
            async () => await users.DepthAsync("taskqueue-submit_error") > before, TestHttp.Patience, "the message is kept");
        (await SetAsideAsync("taskqueue-submit:message:shop")).State.ShouldBe("moved to taskqueue-submit_error");
        await using var producer = await ProducerAsync("shop");
        var tomorrow = TimeProvider.System.GetUtcNow().AddDays(1);
        await AcceptedAsync((await producer.SendAsync(new NewTask(Queue, "later") { ScheduledAt = tomorrow })).Id);
    }

    [Theory]
    [InlineData("shop", "taskqueue-report")]
    [InlineData("shop", "shop")]
    [InlineData("shop", "tasks")]
    [InlineData("shop", "shop.ended")]
    [InlineData("shop", "TaskQueue.Contracts:TasksCompleted")]
    [InlineData("shop", "TaskQueue.Engine.Events:WorkArrived")]
    [InlineData("shop", "taskqueue-replies")]
    [InlineData("shop", "")]
    [InlineData("shop-worker", "taskqueue-submit")]
    [InlineData("shop-worker", "shop")]
    [InlineData("shop-worker", "tasks")]
    [InlineData("shop-worker", "shop.ended")]
    [InlineData("shop-worker", "TaskQueue.Contracts:TasksCompleted")]
    [InlineData("shop-worker", "TaskQueue.Engine.Queues:QueuesChanged")]
    [InlineData("shop-worker", "taskqueue-replies")]
    [InlineData("shop-worker", "")]
    public async Task A_user_may_publish_nowhere_else(string user, string exchange)
    {
        await DeclareAsync();
        await RefusedAsync(user, Constants.AccessRefused, channel =>
            channel.BasicPublishAsync(exchange, "taskqueue-submit", mandatory: true, new BasicProperties { UserId = user },
                "{}"u8.ToArray()).AsTask());
    }

    [Theory]
    [InlineData("shop", "shop")]
    [InlineData("shop", "taskqueue-submit")]
    [InlineData("shop-worker", "tasks")]
    [InlineData("shop-worker", "taskqueue-report")]
    [InlineData("shop-worker", "taskqueue-submit_error")]
    public async Task A_user_may_not_consume_from_another_queue(string user, string queue)
    {
        await DeclareAsync();
        await RefusedAsync(user, Constants.AccessRefused, channel =>
            channel.BasicConsumeAsync(queue, autoAck: false, new AsyncDefaultBasicConsumerOf(channel)));
    }

    [Theory]
    [InlineData("shop", "shop")]
    [InlineData("shop", "taskqueue-submit")]
    [InlineData("shop-worker", "shop")]
    [InlineData("shop-worker", "mine")]
    [InlineData("shop-worker", "taskqueue.events:x")]
    public async Task A_user_may_not_declare_or_delete(string user, string name)
    {
        await DeclareAsync();
        await RefusedAsync(user, Constants.AccessRefused, channel =>
            channel.QueueDeclareAsync(name, durable: true, exclusive: false, autoDelete: false));
        await RefusedAsync(user, Constants.AccessRefused, channel =>
            channel.ExchangeDeclareAsync(name, ExchangeType.Fanout, durable: true));
        await RefusedAsync(user, Constants.AccessRefused, channel => channel.ExchangeDeleteAsync(name));
    }

    [Fact]
    public async Task A_worker_may_not_subscribe_to_all_events()
    {
        await RefusedAsync("shop-worker", Constants.AccessRefused, async channel =>
        {
            await channel.QueueDeclareAsync("shop-worker.spy", durable: false, exclusive: false, autoDelete: true);
            await channel.QueueBindAsync("shop-worker.spy", "TaskQueue.Contracts:TasksFailed", "");
        });
    }

    [Theory]
    [InlineData("shop", "taskqueue-submit")]
    [InlineData("shop-worker", "taskqueue-report")]
    public async Task No_user_can_send_in_anothers_name(string user, string exchange) =>
        await RefusedAsync(user, Constants.PreconditionFailed, channel =>
            channel.BasicPublishAsync(exchange, "", mandatory: true, new BasicProperties { UserId = "taskqueue-api" }, "{}"u8.ToArray())
                .AsTask());

    [Fact]
    public async Task A_worker_reports_on_tasks_of_its_queues_alone_and_submits_nothing()
    {
        var id = await users.Http.SubmitAsync(new { queue = "mail", action = "n" });
        var entry = $$"""{"taskId":"{{id}}","attempt":1,"result":"1"}""";
        var report =
            """{"messageType":["urn:message:TaskQueue.Contracts:ReportTasks"],"message":"""
            + """{"worker":"w","started":[ENTRY],"outcomes":[ENTRY]} }""".Replace("ENTRY", entry, StringComparison.Ordinal);
        await PublishAsync("shop-worker", Addresses.ReportQueue, report, "shop-worker");
        var own = await users.Http.SubmitAsync(
            new { queue = "shop", action = "n", scheduled_at = TimeProvider.System.GetUtcNow().AddDays(1) });
        await Eventually.UntilAsync(
            async () => await users.DepthAsync(Addresses.ReportQueue) == 0, TestHttp.Patience, "the report was read");
        (await users.Http.TaskAsync(id)).Text("status").ShouldBe("pending");
        (await users.Http.TaskAsync(own)).Text("status").ShouldNotBe("completed");

        await using var producer = await ProducerAsync("shop-worker");
        var refused = new NewTask(Queue, "n");
        // The broker closes the channel of a refused send, and the bus retries until the deadline.
        (await Should.ThrowAsync<TaskQueueException>(() => producer.SendAsync(refused))).Code.ShouldBeOneOf("forbidden", "not_confirmed");
        (await users.Http.ReadAsync($"/tasks/{refused.Id}")).Status.ShouldBe(404);
    }

    private async Task DeclareAsync()
    {
        var answer = await users.Http.PutAsync($"/queues/{Queue}", new { delivery = "push" });
        answer.Status.ShouldBeLessThan(300, answer.Text);
    }

    private async Task PublishAsync(string user, string exchange, string body, string name)
    {
        await using var connection = await users.ConnectAsync(user);
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        await channel.BasicPublishAsync(
            exchange, "", mandatory: true, new BasicProperties { UserId = name, ContentType = "application/vnd.masstransit+json" },
            Encoding.UTF8.GetBytes(body));
    }

    private async Task RefusedAsync(string user, ushort code, Func<IChannel, Task> act)
    {
        await using var connection = await users.ConnectAsync(user);
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        var fault = await Should.ThrowAsync<Exception>(() => act(channel));
        var closed = channel.CloseReason ?? (fault as OperationInterruptedException)?.ShutdownReason;
        closed.ShouldNotBeNull(fault.ToString()).ReplyCode.ShouldBe(code, closed!.ReplyText);
    }

    private async Task AcceptedAsync(Guid id) =>
        await Eventually.UntilAsync(
            async () => (await users.Http.ReadAsync($"/tasks/{id}")).Status == 200, TestHttp.Patience, $"task {id} is accepted");

    private async Task<QuarantinedItem> SetAsideAsync(string subject)
    {
        QuarantinedItem? item = null;
        await Eventually.UntilAsync(
            async () => (item = await FindAsync(subject)) is not null, TestHttp.Patience, $"{subject} is set aside");
        return item!;
    }

    private async Task<QuarantinedItem?> FindAsync(string subject)
    {
        await using var db = users.Database.CreateContext();
        return await db.Set<QuarantinedItem>().SingleOrDefaultAsync(i => i.Kind == "message" && i.Subject == subject);
    }

    private async Task<ProducerRun> ProducerAsync(string user)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Error);
        builder.Services.AddTaskQueueBusProducer(o => (o.ConnectionString, o.Timeout) = (users.AddressOf(user), TimeSpan.FromSeconds(15)));
        var host = builder.Build();
        await host.StartAsync();
        return new ProducerRun(host);
    }

    private sealed class ProducerRun(IHost host) : IAsyncDisposable
    {
        public Task<EnqueuedTask> SendAsync(NewTask task) => host.Services.GetRequiredService<ITaskProducer>().EnqueueAsync(task);

        public async ValueTask DisposeAsync()
        {
            await host.StopAsync();
            host.Dispose();
        }
    }

    private sealed class AsyncDefaultBasicConsumerOf(IChannel channel) : AsyncDefaultBasicConsumer(channel);
}
