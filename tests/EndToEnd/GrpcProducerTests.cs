using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The producer over gRPC, and a server that stops.</summary>
public sealed class GrpcProducerTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private static readonly double[] Delays = [1, 2];

    private readonly string _queue = $"p{Guid.NewGuid():N}";

    [Fact]
    public async Task A_task_is_enqueued_once_with_all_its_options()
    {
        await using var services = Services(stack.Http.BaseAddress!);
        var producer = services.GetRequiredService<ITaskProducer>();
        producer.ShouldBeOfType<TaskQueueGrpcProducer>();
        var task = new NewTask(_queue, "resize")
        {
            Data = """{"width":10}""", Tier = 2, Priority = Priority.Low, ScheduledAt = TimeProvider.System.GetUtcNow().AddHours(1),
            ExpiresAt = TimeProvider.System.GetUtcNow().AddHours(2), MaxAttempts = 3, DedupeKey = "d", OrderingKey = "o",
            Lease = TimeSpan.FromSeconds(30), Retry = new RetryPolicy { Intervals = Delays }, Tags = ["t"],
            CallbackUrl = new Uri("https://shop.example/hook"),
        };

        (await producer.EnqueueAsync(task)).ShouldBe(new EnqueuedTask(task.Id, EnqueueResult.Queued));
        (await producer.EnqueueAsync(task)).Result.ShouldBe(EnqueueResult.Duplicate);
        (await producer.EnqueueAsync(task with { Id = Guid.NewGuid(), Overwrite = OverwriteFields.Payload | OverwriteFields.ExpiresAt }))
            .ShouldBe(new EnqueuedTask(task.Id, EnqueueResult.Updated));
        var shown = await stack.Http.TaskAsync(task.Id);
        (shown.Whole("tier"), shown.Text("priority"), shown.Whole("max_attempts"), shown.Text("ordering_key")).ShouldBe((2, "low", 3, "o"));
        shown.GetProperty("payload").GetProperty("data").Whole("width").ShouldBe(10);
    }

    [Fact]
    public async Task Many_tasks_are_enqueued_in_several_requests()
    {
        await using var services = Services(stack.Http.BaseAddress!);
        var producer = services.GetRequiredService<TaskQueueGrpcProducer>();
        var tasks = Enumerable.Range(0, 2500).Select(i => new NewTask(_queue, $"n{i}")).ToList();

        var answers = await producer.EnqueueManyAsync(tasks);

        answers.Select(a => a.Id).ShouldBe(tasks.Select(t => t.Id));
        answers.ShouldAllBe(a => a.Result == EnqueueResult.Queued);
        var fault = await Should.ThrowAsync<TaskQueueException>(async () =>
            await producer.EnqueueManyAsync([new NewTask(_queue, "a"), new NewTask(_queue, "a") { MaxAttempts = 0 }]));
        (fault.Status, fault.Code).ShouldBe((400, "invalid_task"));
        fault.Message.ShouldStartWith("tasks[1]: ");
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_named()
    {
        var address = new Uri($"http://127.0.0.1:{TaskQueueProcess.FreePort()}");
        await using var services = Services(address);

        var fault = await Should.ThrowAsync<TaskQueueException>(async () =>
            await services.GetRequiredService<ITaskProducer>().EnqueueAsync(new NewTask(_queue, "a")));

        (fault.Status, fault.IsTransient).ShouldBe((0, true));
        fault.Message.ShouldContain($"{address} cannot be reached");
    }

    [Fact]
    public void An_address_with_a_path_is_refused()
    {
        using var services = Services(new Uri("http://localhost/queue"));
        Should.Throw<OptionsValidationException>(services.GetRequiredService<ITaskProducer>).Message.ShouldContain("must have no path");
    }

    [Fact]
    public async Task A_server_that_stops_ends_its_claims_without_an_error_and_loses_nothing()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var host = await TestHost.StartAsync(database.ConnectionString,
            settings: new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error" });
        using var client = new GrpcClient(host.Http.BaseAddress!);
        using var idle = await client.ClaimAsync(_queue, credit: 5);
        using var full = await client.ClaimAsync(_queue, credit: 0);
        (await idle.NextAsync() && await full.NextAsync()).ShouldBeTrue();

        var stopping = host.StopAsync();

        (await idle.RestAsync()).ShouldBeEmpty();
        (await full.RestAsync()).ShouldBeEmpty();
        await stopping.WaitAsync(TestHttp.Patience + TestHttp.Patience);
        await host.DisposeAsync();
    }

    private static ServiceProvider Services(Uri address) =>
        new ServiceCollection().AddTaskQueueGrpcProducer(o => o.BaseAddress = address).BuildServiceProvider();
}

/// <summary>The producer over gRPC with keys.</summary>
public sealed class GrpcProducerKeyTests(KeyServer server) : IClassFixture<KeyServer>
{
    [Fact]
    public async Task The_producer_says_why_it_was_refused()
    {
        await using var services = new ServiceCollection()
            .AddTaskQueueGrpcProducer(o => (o.BaseAddress, o.ApiKey) = (server.Http.BaseAddress!, KeyServer.Reader)).BuildServiceProvider();
        var producer = services.GetRequiredService<ITaskProducer>();

        var fault = await Should.ThrowAsync<TaskQueueException>(async () => await producer.EnqueueAsync(new NewTask("q", "a")));

        (fault.Status, fault.Code, fault.IsTransient).ShouldBe((403, "forbidden", false));
        fault.Message.ShouldContain("lacks the scope enqueue");
    }
}
