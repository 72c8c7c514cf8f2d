using System.Collections.Concurrent;
using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Another program on the bus: plain MassTransit and the contracts.</summary>
internal sealed class BusClient(string? rabbitMq) : IAsyncDisposable
{
    private readonly List<IBusControl> _started = [];
    private readonly SemaphoreSlim _lock = new(1);
    private IBusControl? _producer;

    /// <summary>A bus without consumers.</summary>
    public async Task<IBus> BusAsync()
    {
        await _lock.WaitAsync();
        try
        {
            return _producer ??= await StartAsync(_ => { });
        }
        finally
        {
            _lock.Release();
        }
    }

    /// <summary>A worker of a push queue: <paramref name="run"/> gets every dispatched task, in order of arrival.</summary>
    public Task<IBusControl> WorkAsync(string queue, Func<DispatchedTask, Task> run) =>
        StartAsync(cfg => cfg.ReceiveEndpoint(queue, e =>
        {
            ((IRabbitMqReceiveEndpointConfigurator)e).SetQuorumQueue();
            e.ConfigureConsumeTopology = false;
            e.Handler<DispatchTasks>(async context =>
            {
                foreach (var task in context.Message.Tasks)
                    await run(task);
            });
        }));

    /// <summary>A subscriber to all events, one message after the other.</summary>
    public async Task<ConcurrentQueue<(string Event, TaskStep Step)>> SubscribeAsync()
    {
        var steps = new ConcurrentQueue<(string, TaskStep)>();
        await StartAsync(cfg => cfg.ReceiveEndpoint($"subscriber-{Guid.NewGuid():N}", e =>
        {
            ((IRabbitMqReceiveEndpointConfigurator)e).AutoDelete = true;
            e.ConcurrentMessageLimit = 1;
            On<TasksSubmitted>(e, m => m.Tasks);
            On<TasksStarted>(e, m => m.Tasks);
            On<TasksCompleted>(e, m => m.Tasks);
            On<TasksFailed>(e, m => m.Tasks);
            On<TasksRetrying>(e, m => m.Tasks);
            On<TasksCancelled>(e, m => m.Tasks);
            On<TasksExpired>(e, m => m.Tasks);
        }));
        return steps;

        void On<T>(IReceiveEndpointConfigurator endpoint, Func<T, IReadOnlyList<TaskStep>> tasks)
            where T : class =>
            endpoint.Handler<T>(context =>
            {
                foreach (var step in tasks(context.Message))
                    steps.Enqueue((typeof(T).Name, step));
                return Task.CompletedTask;
            });
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_started.Select(bus => bus.StopAsync(TimeSpan.FromSeconds(10))));
        _lock.Dispose();
    }

    private async Task<IBusControl> StartAsync(Action<IRabbitMqBusFactoryConfigurator> configure)
    {
        var bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(cfg =>
        {
            cfg.Host(new Uri(rabbitMq!));
            configure(cfg);
        });
        await bus.StartAsync();
        _started.Add(bus);
        return bus;
    }
}
