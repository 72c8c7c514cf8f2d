using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Client.Kubernetes;
using TaskQueue.Consumers;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>How a process publishes its load to Kubernetes. The tests provide the API server, over TLS.</summary>
public sealed class DeletionCostTests : IAsyncLifetime
{
    private readonly SetTime _time = new(TestTasks.T0);
    private readonly Lines _log = new();
    private TestCluster _cluster = null!;
    private int _running;
    private int _looks;

    public async Task InitializeAsync() => _cluster = await TestCluster.StartAsync();

    public async Task DisposeAsync() => await _cluster.DisposeAsync();

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(3, 2)]
    [InlineData(4, 4)]
    [InlineData(500, 256)]
    public void The_cost_changes_in_coarse_steps(int running, int cost) => DeletionCostService.CostOf(running).ShouldBe(cost);

    [Fact]
    public async Task The_annotation_of_its_own_pod_and_nothing_else_is_patched()
    {
        await using var service = await StartAsync();
        var request = (await SentAsync(1))[0];
        request.Target.ShouldBe("PATCH /api/v1/namespaces/queues/pods/worker-1");
        request.ContentType!.Split(';')[0].ShouldBe("application/merge-patch+json");
        request.Authorization.ShouldBe("Bearer token-1");
        request.Body.ShouldBe("""{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"0"}}}""");
    }

    [Fact]
    public async Task It_is_patched_rarely_and_only_when_the_step_changes()
    {
        await using var service = await StartAsync();
        await SentAsync(1);
        _running = 5;
        await LooksAsync();
        _cluster.Requests.Count.ShouldBe(1, "the pause is not over");
        _time.Now += TimeSpan.FromSeconds(15);
        (await SentAsync(2))[1].Body.ShouldContain("\"4\"");

        _running = 7;
        _time.Now += TimeSpan.FromMinutes(5);
        await LooksAsync();
        _cluster.Requests.Count.ShouldBe(2, "the step is the same");

        _running = 0;
        _cluster.Rotate("token-2");
        _time.Now += TimeSpan.FromSeconds(20);
        await LooksAsync();
        _cluster.Requests.Count.ShouldBe(2, "it may only be between two tasks");
        _time.Now += TimeSpan.FromSeconds(10);
        var last = (await SentAsync(3))[2];
        last.Body.ShouldContain("\"0\"");
        last.Authorization.ShouldBe("Bearer token-2");
    }

    [Fact]
    public async Task A_refusal_is_logged_once_and_retried_with_growing_delays()
    {
        _cluster.Status = 403;
        _running = 1;
        await using var service = await StartAsync();
        await SentAsync(1);
        _time.Now += TimeSpan.FromSeconds(29);
        await LooksAsync();
        _cluster.Requests.Count.ShouldBe(1);
        _time.Now += TimeSpan.FromSeconds(1);
        await SentAsync(2);
        _time.Now += TimeSpan.FromSeconds(59);
        await LooksAsync();
        _cluster.Requests.Count.ShouldBe(2);
        _time.Now += TimeSpan.FromSeconds(1);
        await SentAsync(3);
        await LooksAsync();
        _log.All.ShouldHaveSingleItem().ShouldContain("403");

        _cluster.Status = 200;
        _time.Now += TimeSpan.FromMinutes(5);
        await SentAsync(4);
        _running = 2;
        await LooksAsync();
        _time.Now += TimeSpan.FromSeconds(15);
        (await SentAsync(5))[4].Body.ShouldContain("\"2\"");
    }

    [Fact]
    public async Task Only_the_clusters_own_CA_is_trusted()
    {
        using var other = TestCluster.NewCertificate();
        _cluster.Trust(other);
        await using var service = await StartAsync();
        await Eventually.UntilAsync(() => Task.FromResult(!_log.All.IsEmpty), TestHttp.Patience, "it is said");
        await LooksAsync();
        _cluster.Requests.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("KUBERNETES_SERVICE_HOST", null, 0)]
    [InlineData("POD_NAME", null, 1)]
    [InlineData("POD_NAMESPACE", "", 1)]
    public async Task Outside_Kubernetes_it_is_off_and_inside_missing_settings_are_reported(string variable, string? value, int lines)
    {
        using var service = new DeletionCostService(_cluster.Pod((variable, value)),
            () => throw new InvalidOperationException("nobody asks"), _time, _log);
        await service.StartAsync(CancellationToken.None);
        await service.ExecuteTask!;
        _log.All.Count.ShouldBe(lines);
        _log.All.ShouldAllBe(l => l.Contains(variable, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_worker_publishes_how_many_tasks_its_processors_run()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var server = await TestHost.StartAsync(database.ConnectionString);
        var goOn = new TaskCompletionSource();
        IServiceProvider? services = null;
        await using var worker = await WorkerRun.StartAsync(
            server.Http.BaseAddress!,
            o =>
            {
                o.Queues.Add("q");
                o.AddProcessor("a", async (_, _) =>
                {
                    await goOn.Task;
                    return TaskOutcome.CompletedJson("1");
                });
            },
            s => s.AddSingleton(_cluster.Pod()).AddTaskQueueDeletionCost().AddSingleton<IHostedService>(sp =>
            {
                services = sp;
                return new Nothing();
            }));
        (await SentAsync(1))[0].Body.ShouldContain("\"0\"");

        await server.Http.SubmitManyAsync(Enumerable.Range(0, 5).Select(_ => new { queue = "q", action = "a" }));
        await Eventually.UntilAsync(
            () => Task.FromResult(DeletionCostRegistration.RunningOfWorkers(services!) == 2), TestHttp.Patience,
            "two run; those that wait in the worker do not count");
        goOn.SetResult();
        await Eventually.UntilAsync(
            () => Task.FromResult(DeletionCostRegistration.RunningOfWorkers(services!) == 0), TestHttp.Patience, "none runs");
    }

    [Fact]
    public async Task The_Consumers_role_publishes_what_it_runs()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(
            database.ConnectionString, settings: new Dictionary<string, string?> { ["TaskQueue:Actions:SimulatedWorkMs"] = "1000" },
            services: s => s.AddSingleton(_cluster.Pod()));
        (await SentAsync(1))[0].Body.ShouldContain("\"0\"");

        await host.Http.SubmitManyAsync(Enumerable.Range(0, 3).Select(_ => new { action = "uppercase", data = new { text = "a" } }));
        await Eventually.UntilAsync(() => Task.FromResult(ConsumersRole.RunningTasks(host.Services) > 0), TestHttp.Patience, "some run");
        await Eventually.UntilAsync(() => Task.FromResult(ConsumersRole.RunningTasks(host.Services) == 0), TestHttp.Patience, "none runs");

        await using var other = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var off = await TestHost.StartAsync(other.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["TaskQueue:Kubernetes:DeletionCost"] = "false",
        });
        off.Services.GetServices<IHostedService>().ShouldNotContain(s => s is DeletionCostService);
    }

    private async Task<Run> StartAsync()
    {
        var service = new DeletionCostService(
            _cluster.Pod(),
            () =>
            {
                Interlocked.Increment(ref _looks);
                return Volatile.Read(ref _running);
            },
            _time, _log);
        await service.StartAsync(CancellationToken.None);
        return new Run(service);
    }

    /// <summary>Waits until this many requests have arrived, and one further check.</summary>
    private async Task<ClusterRequest[]> SentAsync(int count)
    {
        await Eventually.UntilAsync(() => Task.FromResult(_cluster.Requests.Count >= count), TestHttp.Patience, $"{count} requests came");
        if (_looks > 0)
            await LooksAsync();
        _cluster.Requests.Count.ShouldBe(count);
        return [.. _cluster.Requests];
    }

    /// <summary>Lets the service poll several times; the clock stands still.</summary>
    private async Task LooksAsync()
    {
        var before = Volatile.Read(ref _looks);
        await Eventually.UntilAsync(() => Task.FromResult(Volatile.Read(ref _looks) >= before + 5), TestHttp.Patience, "it looked");
    }

    private sealed class Run(DeletionCostService service) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await service.StopAsync(CancellationToken.None);
            service.Dispose();
        }
    }

    private sealed class Nothing : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>Log entries.</summary>
    private sealed class Lines : ILogger<DeletionCostService>
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> All { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => All.Enqueue(formatter(state, exception));
    }
}
