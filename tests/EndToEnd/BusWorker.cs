using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A third-party bus worker: takes dispatched tasks from a push queue and does with them what the test says.</summary>
internal sealed class BusWorker : IConsumer<DispatchTasks>, IAsyncDisposable
{
    private readonly IBusControl _bus;
    private readonly Func<BusWorker, DispatchedTask, Task> _work;

    private BusWorker(string rabbitMq, string queue, Func<BusWorker, DispatchedTask, Task> work)
    {
        _work = work;
        _bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(cfg =>
        {
            cfg.Host(new Uri(rabbitMq));
            cfg.ReceiveEndpoint(queue, e =>
            {
                e.SetQuorumQueue();
                e.ConfigureConsumeTopology = false;
                e.Instance(this);
            });
        });
    }

    private string Name { get; } = $"worker-{Guid.NewGuid():N}";

    public static async Task<BusWorker> StartAsync(string rabbitMq, string queue, Func<BusWorker, DispatchedTask, Task> work)
    {
        var worker = new BusWorker(rabbitMq, queue, work);
        await worker._bus.StartAsync();
        return worker;
    }

    public Task Consume(ConsumeContext<DispatchTasks> context) => Task.WhenAll(context.Message.Tasks.Select(t => _work(this, t)));

    /// <summary>Reports the start of an attempt, with a lease of a second.</summary>
    public Task BeginAsync(DispatchedTask task) =>
        ReportAsync(new ReportTasks(Name, [new AttemptStarted(task.Id, task.Attempt, LeaseSeconds: 1)], [], []));

    /// <summary>Reports the start and the success of an attempt.</summary>
    public Task CompleteAsync(DispatchedTask task) =>
        ReportAsync(new ReportTasks(Name, [new AttemptStarted(task.Id, task.Attempt)], [],
            [new AttemptOutcome(task.Id, task.Attempt, Result: "true")]));

    /// <summary>Reports the start and a retryable failure of an attempt.</summary>
    public Task FailAsync(DispatchedTask task) =>
        ReportAsync(new ReportTasks(Name, [new AttemptStarted(task.Id, task.Attempt)], [],
            [new AttemptOutcome(task.Id, task.Attempt, Error: "no luck")]));

    public async ValueTask DisposeAsync() => await _bus.StopAsync(TimeSpan.FromSeconds(10));

    private async Task ReportAsync(ReportTasks report) => await (await _bus.GetSendEndpoint(Addresses.Report)).Send(report);
}
