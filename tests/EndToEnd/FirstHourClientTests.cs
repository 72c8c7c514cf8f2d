using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What a newcomer writes with the .NET client.</summary>
public sealed class FirstHourClientTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    private Uri Server => stack.Http.BaseAddress!;

    [Fact]
    public async Task F05_F10_Values_need_no_serializer_context_in_producers_and_processors()
    {
        await using var worker = await WorkerRun.StartAsync(Server, o =>
        {
            o.Queues.Add(_queue);
            o.AddProcessor<Order, Receipt>("sell", (order, _, _) => Task.FromResult(new Receipt(order.To.ToUpperInvariant(), order.Items)));
            o.AddProcessor("send", (task, _) => Task.FromResult(TaskOutcome.Completed($"sent to {task.Read<Order>().To}")));
            o.AddProcessor("raw", (_, _) => Task.FromResult(TaskOutcome.CompletedJson("""{"sent":true}""")));
        });
        var client = worker.Services.GetRequiredService<TaskQueueClient>();

        var sold = await client.EnqueueAsync(_queue, "sell", new { To = "ann", Items = 3 });
        (await client.WaitForResultAsync<Receipt>(sold.Id, Patience)).ShouldBe(new Receipt("ANN", 3));
        var sent = await client.EnqueueAsync(_queue, "send", new Order("ben", 1));
        (await client.WaitForResultAsync<string>(sent.Id, Patience)).ShouldBe("sent to ben");
        var raw = await client.EnqueueAsync(_queue, "raw", "text");
        (await client.WaitAsync(raw.Id, Patience)).Result!.Value.GetProperty("sent").GetBoolean().ShouldBeTrue();
        (await client.GetAsync(raw.Id))!.Attempt.ShouldBe(1);
        (await client.GetAsync(raw.Id))!.Payload.GetProperty("data").GetString().ShouldBe("text");
    }

    [Fact]
    public void F05_Text_that_is_no_JSON_is_refused_where_it_is_given() =>
        Should.Throw<ArgumentException>(() => TaskOutcome.CompletedJson("sent"));

    [Fact]
    public async Task F08_A_worker_logs_nothing_per_task_and_an_outage_in_one_line_at_its_beginning_and_one_at_its_end()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        await using var gate = new Gate(host.Http.BaseAddress!);
        using var log = new LogLines();
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.Services.AddTaskQueueWorker(
            o =>
            {
                o.Queues.Add(_queue);
                o.UnresponsiveAfter = TimeSpan.FromSeconds(3);
                o.AddProcessor("a", (_, _) => Task.FromResult(TaskOutcome.Completed()));
            },
            client => client.BaseAddress = gate.Address);
        using var worker = builder.Build();
        await worker.StartAsync();
        var ids = new List<Guid>();
        for (var i = 0; i < 50; i++)
            ids.Add(await host.Http.SubmitAsync(new { queue = _queue, action = "a" }));
        foreach (var id in ids)
            await host.Http.TaskAsync(id, "completed");
        log.All.Count.ShouldBeLessThan(8, string.Join('\n', log.All));

        log.All.Clear();
        gate.Close();
        await Eventually.UntilAsync(() => Task.FromResult(gate.Refused > 3), Patience, "the worker tries again");
        gate.Open();
        var late = await host.Http.SubmitAsync(new { queue = _queue, action = "a" });
        await host.Http.TaskAsync(late, "completed");
        await Eventually.UntilAsync(() => Task.FromResult(log.All.Any(l => l.Contains("is back", StringComparison.Ordinal))), Patience,
            "the end is logged");
        log.All.Count.ShouldBe(2, string.Join('\n', log.All));
        await worker.StopAsync();
    }

    [Fact]
    public async Task F25_A_worker_brings_the_client()
    {
        await using var services = new ServiceCollection()
            .AddTaskQueueWorker(o => o.Queues.Add(_queue), client => client.BaseAddress = Server).BuildServiceProvider();
        await services.GetRequiredService<TaskQueueClient>().EnqueueAsync(new NewTask(_queue, "a"));
    }

    [Fact]
    public async Task F26_Queues_and_schedules_are_declared_with_types()
    {
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = Server).BuildServiceProvider();
        var client = services.GetRequiredService<TaskQueueClient>();

        var queue = await client.DeclareQueueAsync(_queue, new QueueDeclaration
        {
            Description = "letters", Lease = TimeSpan.FromSeconds(20), ExpireAfter = TimeSpan.FromHours(1), MaxAttempts = 3, MaxCrashes = 2,
            MaxRunning = 7, Rate = 10, RateInterval = TimeSpan.FromMinutes(1), MaxDeadLetters = 5,
            DeadLetterRetention = TimeSpan.FromDays(1), KeepFinished = TimeSpan.FromHours(2),
            Retry = new RetryPolicy { Intervals = [1, 2] },
        });
        (queue.Name, queue.Delivery, queue.Version, queue.MaxRunning).ShouldBe((_queue, "pull", 1, 7));
        var stored = (await stack.Http.ReadAsync($"/queues/{_queue}")).Json;
        (stored.Whole("lease_seconds"), stored.GetProperty("rate").Whole("interval_seconds"),
            stored.GetProperty("dead_letters").Whole("max_size")).ShouldBe((20, 60, 5));

        var schedule = await client.ScheduleAsync(_queue, "morning", NewSchedule.Of("0 8 * * 1-5", "digest", new { Kind = "short" }) with
        {
            TimeZone = "Europe/Berlin", Tags = ["daily"], MaxAttempts = 2,
        });
        (schedule.Name, schedule.Action, schedule.Next.Count).ShouldBe(("morning", "digest", 5));
        (await client.GetScheduleAsync(_queue, "morning")).ShouldNotBeNull().Cron.ShouldBe("0 8 * * 1-5");
        var task = await client.RunScheduleAsync(_queue, "morning");
        (await client.GetAsync(task.Id))!.Payload.GetProperty("data").GetProperty("kind").GetString().ShouldBe("short");
        await client.DeleteScheduleAsync(_queue, "morning");
        (await client.GetScheduleAsync(_queue, "morning")).ShouldBeNull();
        await client.DeleteQueueAsync(_queue);
        await Should.ThrowAsync<TaskQueueException>(() =>
            client.ScheduleAsync(_queue, "morning", new NewSchedule("0 8 * * *", "digest")));
    }

    [Theory]
    [InlineData("python3", "python", "worker.py")]
    [InlineData("node", "javascript", "worker.mjs")]
    public async Task F20_An_example_without_arguments_shows_its_usage(string program, string folder, string file)
    {
        using var run = new Command(program, [Repository.FileAt("clients", folder, "examples", file)], ClientPackage.Environment);
        (await run.WaitAsync(Patience)).ShouldBe(2, run.Output);
        run.Lines.ShouldHaveSingleItem().ShouldStartWith("usage: ");
    }

    [Theory]
    [InlineData("SampleProducer")]
    [InlineData("SampleWorker")]
    public async Task F20_A_sample_program_without_arguments_shows_its_usage(string name)
    {
        using var run = new Command(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            [Path.Combine(AppContext.BaseDirectory, $"{name}.dll")]);
        (await run.WaitAsync(Patience)).ShouldBe(2, run.Output);
        run.Lines.ShouldHaveSingleItem().ShouldStartWith($"usage: {name} ");
    }

    [Fact]
    public void F28_One_variable_has_the_key_everywhere()
    {
        string[] places = ["README.md", "docs", "samples", "clients", Path.Combine("src", "Api"), Path.Combine("src", "Client")];
        var files = places.Select(p => Repository.FileAt(p))
            .SelectMany(p => File.Exists(p) ? [p] : Directory.EnumerateFiles(p, "*.*", SearchOption.AllDirectories))
            .Where(f => Path.GetExtension(f) is ".cs" or ".md" or ".py" or ".js" or ".mjs");
        files.Where(f => File.ReadAllText(f).Contains("TASKQUEUE_API_KEY", StringComparison.Ordinal)).ShouldBeEmpty();
        File.ReadAllText(Repository.FileAt("docs", "README.md")).ShouldContain("| name, `action` |");
    }

    private sealed record Order(string To, int Items);

    private sealed record Receipt(string Name, int Items);

    /// <summary>A proxy that drops its connections, and refuses new ones, while it is closed.</summary>
    private sealed class Gate(Uri server) : TcpProxy(server.Port)
    {
        private volatile CancellationTokenSource _closed = new();
        private int _refused;

        public Uri Address => new($"http://127.0.0.1:{Port}");

        public int Refused => Volatile.Read(ref _refused);

        public void Close() => _closed.Cancel();

        public void Open() => _closed = new CancellationTokenSource();

        protected override async Task PassAsync(NetworkStream client, NetworkStream server)
        {
            var closed = _closed.Token;
            if (closed.IsCancellationRequested)
            {
                Interlocked.Increment(ref _refused);
                return;
            }

            using var either = CancellationTokenSource.CreateLinkedTokenSource(Stop, closed);
            await Task.WhenAny(client.CopyToAsync(server, either.Token), server.CopyToAsync(client, either.Token));
        }
    }
}

/// <summary>Workers on the bus whose queue nobody has declared.</summary>
public sealed class FirstHourBusTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task F14_A_worker_on_a_queue_that_is_not_declared_is_warned_by_itself_and_by_the_server()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        using var server = new LogLines();
        using var worker = new LogLines();
        await using (var host = await TestHost.StartAsync(database.ConnectionString, rabbitMq, log: server))
        {
            var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
            builder.Logging.AddProvider(worker);
            builder.Services.AddTaskQueueWorker(o =>
            {
                o.Queues.Add("letters");
                o.UnresponsiveAfter = TimeSpan.FromSeconds(3);
                o.UseRabbitMq(new Uri(rabbitMq));
                o.AddProcessor("a", (_, _) => Task.FromResult(TaskOutcome.Completed()));
            });
            using var program = builder.Build();
            await program.StartAsync();

            await SaidAsync(worker, "receives nothing from queue letters");
            await SaidAsync(server, "listens on the bus for letters");
            (await host.Http.PutAsync("/queues/letters", new { delivery = "push" })).Status.ShouldBe(201);
            await SaidAsync(worker, "receives tasks from queue letters now");
            await host.Http.TaskAsync(await host.Http.SubmitAsync(new { queue = "letters", action = "a" }), "completed");
            await program.StopAsync();
        }

        await TestServers.DeleteVirtualHostAsync(rabbitMq);
    }

    private static Task SaidAsync(LogLines log, string text) =>
        Eventually.UntilAsync(() => Task.FromResult(log.All.Any(l => l.Contains(text, StringComparison.Ordinal))), Patience, text);
}
