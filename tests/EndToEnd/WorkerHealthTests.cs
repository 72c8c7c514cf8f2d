using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using RabbitMQ.Client;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The health check of the .NET client's workers.</summary>
public sealed class WorkerHealthTests(ServersStack stack) : IClassFixture<ServersStack>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan UnresponsiveAfter = TimeSpan.FromSeconds(3);

    private readonly string _queue = $"h{Guid.NewGuid():N}";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Idle_and_busy_workers_of_pull_queues_are_healthy_and_a_server_outage_is_degraded(bool overGrpc)
    {
        await using var server = await TaskQueueProcess.StartAsync("api,scheduler", stack.Database.ConnectionString, stack.RabbitMq);
        var end = new TaskCompletionSource();
        await using var idle = await StartAsync(server.Http.BaseAddress!, o => Connect(o, overGrpc));
        await using var busy = await StartAsync(server.Http.BaseAddress!, o =>
        {
            Connect(o, overGrpc);
            (o.Concurrency, o.Prefetch, o.Lease) = (1, 0, TimeSpan.FromSeconds(4));
            o.Queues[0] += "busy";
            o.AddProcessor("a", async (_, _) =>
            {
                await end.Task;
                return TaskOutcome.CompletedJson("1");
            });
        });
        var id = await stack.Http.SubmitAsync(new { queue = $"{_queue}busy", action = "a" });
        await stack.Http.TaskAsync(id, "running");
        await StaysWellAsync(idle, busy);

        server.Kill();
        (await UnwellAsync(idle, HealthStatus.Degraded)).ShouldContain("cannot be reached");
        (await UnwellAsync(busy, HealthStatus.Degraded)).ShouldContain("cannot be reached");
        end.SetResult();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_worker_of_pull_queues_that_the_server_refuses_is_unhealthy(bool overGrpc)
    {
        (await stack.Http.PutAsync($"/queues/{_queue}", new { delivery = "push" })).Status.ShouldBeInRange(200, 201);
        await using var refused = await StartAsync(stack.Http.BaseAddress!, o => Connect(o, overGrpc));
        (await UnwellAsync(refused, HealthStatus.Unhealthy)).ShouldContain("UseRabbitMq");
    }

    [Fact]
    public async Task Over_the_bus_an_idle_worker_is_healthy_and_one_that_receives_nothing_is_unhealthy()
    {
        (await stack.Http.PutAsync($"/queues/{_queue}", new { delivery = "push" })).Status.ShouldBeInRange(200, 201);
        var before = await OwnQueuesAsync();
        await using var worker = await StartAsync(stack.Http.BaseAddress!, o => o.UseRabbitMq(new Uri(stack.RabbitMq!)));
        await StaysWellAsync(worker);

        await TestServers.SilenceAsync(stack.RabbitMq!, (await OwnQueuesAsync()).Except(before).Single());
        (await UnwellAsync(worker, HealthStatus.Unhealthy)).ShouldContain("none arrives");
    }

    [Fact]
    public async Task Over_the_bus_a_worker_is_degraded_during_a_broker_outage()
    {
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        await DeclareAsync(rabbitMq);
        await using var worker = await StartAsync(stack.Http.BaseAddress!, o => o.UseRabbitMq(new Uri(rabbitMq)));
        await StaysWellAsync(worker);
        await TestServers.DeleteVirtualHostAsync(rabbitMq);
        await UnwellAsync(worker, HealthStatus.Degraded);
    }

    /// <summary>The state of the broker for a worker of a server that has the queue.</summary>
    private async Task DeclareAsync(string rabbitMq)
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(rabbitMq) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        await channel.ExchangeDeclareAsync(Addresses.EndedOf(_queue), ExchangeType.Fanout, durable: true);
        await channel.QueueDeclareAsync(_queue, durable: true, exclusive: false, autoDelete: false);
    }

    private async Task<List<string>> OwnQueuesAsync() =>
        [.. (await TestServers.QueueDepthsAsync(stack.RabbitMq!)).Where(q => q.Type == "classic").Select(q => q.Name)];

    private Task<WorkerRun> StartAsync(Uri server, Action<TaskQueueWorkerOptions> configure) =>
        WorkerRun.StartAsync(server, o =>
        {
            o.Queues.Add(_queue);
            o.UnresponsiveAfter = UnresponsiveAfter;
            configure(o);
        });

    /// <summary>Without a break for longer than a worker may receive nothing.</summary>
    private static async Task StaysWellAsync(params WorkerRun[] workers)
    {
        var begun = TimeProvider.System.GetTimestamp();
        var said = "";
        await Eventually.UntilAsync(
            async () =>
            {
                foreach (var worker in workers)
                {
                    var (status, description) = await CheckAsync(worker);
                    if (status == HealthStatus.Healthy)
                        continue;
                    (begun, said) = (TimeProvider.System.GetTimestamp(), $"{status}: {description}");
                    return false;
                }

                return TimeProvider.System.GetElapsedTime(begun) > UnresponsiveAfter * 1.5;
            },
            Patience,
            () => $"the workers stay well; last {said}");
    }

    private static async Task<string> UnwellAsync(WorkerRun worker, HealthStatus expected) =>
        await Eventually.UntilAsync(
            async () =>
            {
                var (status, description) = await CheckAsync(worker);
                return status == expected ? description : null;
            },
            Patience,
            $"the worker is {expected}");

    private static async Task<(HealthStatus Status, string? Description)> CheckAsync(WorkerRun worker)
    {
        var report = await worker.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        var entry = report.Entries["taskqueue-worker"];
        return (entry.Status, entry.Description);
    }

    private static void Connect(TaskQueueWorkerOptions options, bool overGrpc)
    {
        if (overGrpc)
            options.UseGrpc();
    }
}
