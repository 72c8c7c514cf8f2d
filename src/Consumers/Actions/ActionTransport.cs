using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Bus;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Health;
using TaskQueue.Client;
using TaskQueue.Consumers.Workers;
using TaskQueue.Contracts;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Consumers.Actions;

/// <summary>
/// Consumes dispatched tasks of the built-in queue from this process's bus and reports to its engine. On shutdown, tasks delivered
/// but not begun are returned and keep their attempt.
/// </summary>
internal sealed class ActionTransport(
    EngineReports reports, WorkEndpoints endpoints, IBus bus, BusAddress address, InFlightLimiter inFlight, ConsumerLiveness liveness,
    TimeProvider time, ILogger<ActionTransport> logger)
    : IWorkerTransport, IConsumer<DispatchTasks>, IDisposable
{
    /// <summary>Number of messages; a message has 1 to 100 tasks.</summary>
    private const int Prefetch = 32;

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<DeliveryIntake> _intake = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _starting = Task.CompletedTask;
    private Task _leaving = Task.CompletedTask;
    private InFlightAttempts? _attempts;
    private HostReceiveEndpointHandle? _endpoint;

    public bool ReturnsUnbegun => true;

    /// <summary>Starts consuming during host startup; from then on the queue exists.</summary>
    public void Connect() => _endpoint = endpoints.Connect(BuiltInQueues.Tasks, Prefetch, (_, e) => e.Instance(this));

    public async Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        _attempts = attempts;
        var intake = new DeliveryIntake(attempts, ToItem, PassOnAsync, time);
        _intake.SetResult(intake);
        _starting = new StartReporter(attempts, (starts, _) => reports.StartAsync(attempts, starts), time, logger).RunAsync(_stop.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The endpoint stops after its deliveries end, and those after their tasks.
        _leaving = _endpoint?.StopAsync(CancellationToken.None) ?? Task.CompletedTask;
        await intake.CloseAsync(_leaving);
    }

    public bool HasLease(Attempt attempt) => attempt.IsAnnounced;

    public Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken)
    {
        if (_attempts!.Room <= 0)
            liveness.IsBusy(BuiltInQueues.Tasks); // deliveries wait for capacity
        return reports.RenewAsync(_attempts, heartbeats);
    }

    public Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken) =>
        reports.ReportAsync(attempts, needStart: true);

    public async Task CloseAsync()
    {
        await _stop.CancelAsync();
        await _starting;
        // May fail when the broker is unavailable.
        await _leaving.WaitAsync(StopTimeout, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Accepts a delivery. A consumer, because the filter that checks senders is not applied to handlers.</summary>
    public async Task Consume(ConsumeContext<DispatchTasks> context)
    {
        var intake = await _intake.Task.WaitAsync(context.CancellationToken);
        await intake.TakeAsync(context);
    }

    private EngineItem ToItem(DispatchedTask task)
    {
        inFlight.Taken();
        return EngineItem.Of(task);
    }

    private async Task PassOnAsync(IReadOnlyList<DispatchedTask> tasks)
    {
        var endpoint = await bus.GetSendEndpoint(address.Of(BuiltInQueues.Tasks));
        await endpoint.Send(new DispatchTasks(tasks), c => BusAddress.DemandQueue(c));
    }
}
