using MassTransit;
using TaskQueue.Bench.Servers;
using TaskQueue.Contracts;

namespace TaskQueue.Bench.Load;

/// <summary>A no-op bus worker that reports start and outcome together, one message per message received.</summary>
internal sealed class BusWorker : IAsyncDisposable
{
    private readonly IBusControl _bus;
    private long _reported;

    private BusWorker(Uri rabbitMq, Action<DispatchTasks> begin) =>
        _bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(bus =>
        {
            bus.Host(rabbitMq);
            bus.ReceiveEndpoint(Broker.PushQueue, e =>
            {
                e.SetQuorumQueue();
                e.ConfigureConsumeTopology = false;
                e.PrefetchCount = 16;
                e.Consumer(() => new Consumer(this, begin));
            });
        });

    /// <summary>Number of tasks whose report the broker has confirmed.</summary>
    public long Reported => Interlocked.Read(ref _reported);

    /// <summary>Starts a worker.</summary>
    /// <param name="rabbitMq">Address of the broker.</param>
    /// <param name="begin">Called where a handler would start.</param>
    public static async Task<BusWorker> StartAsync(Uri rabbitMq, Action<DispatchTasks> begin)
    {
        var worker = new BusWorker(rabbitMq, begin);
        await worker._bus.StartAsync(CancellationToken.None);
        return worker;
    }

    public async ValueTask DisposeAsync() => await _bus.StopAsync(CancellationToken.None);

    private sealed class Consumer(BusWorker worker, Action<DispatchTasks> begin) : IConsumer<DispatchTasks>
    {
        public async Task Consume(ConsumeContext<DispatchTasks> context)
        {
            var tasks = context.Message.Tasks;
            begin(context.Message);
            var engine = await context.GetSendEndpoint(Addresses.Report);
            await engine.Send(new ReportTasks(
                "bench",
                [.. tasks.Select(t => new AttemptStarted(t.Id, t.Attempt))],
                [],
                [.. tasks.Select(t => new AttemptOutcome(t.Id, t.Attempt, Result: "null"))]));
            Interlocked.Add(ref worker._reported, tasks.Count);
        }
    }
}
