using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Takes tasks of push queues from RabbitMQ, on a bus of its own.</summary>
[RequiresUnreferencedCode("MassTransit makes its messages by reflection")]
[RequiresDynamicCode("MassTransit makes its messages by reflection")]
internal sealed partial class RabbitMqTransport(TaskQueueWorkerOptions options, Uri address, BrokerTls tls, TimeProvider time,
    ILoggerFactory loggers, ILogger<RabbitMqTransport> logger) : IRemoteTransport, IDisposable
{
    private static readonly TimeSpan DefaultLease = TimeSpan.FromSeconds(15);

    /// <summary>
    /// A publish can wait for ever when its connection breaks; sending again is safe, because everything on the bus may come twice.
    /// </summary>
    private static readonly TimeSpan Confirm = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();
    private readonly ExpiredConfirms _givenUp = new(time);
    private readonly string _user = tls.UserOf(address);
    private Task _starting = Task.CompletedTask;
    private Task _announcing = Task.CompletedTask;
    private Task _listening = Task.CompletedTask;
    private Task _leaving = Task.CompletedTask;
    private IBusControl? _bus;
    private DeliveryIntake? _intake;
    private ConsumerProbe? _probe;

    public ConnectionHealth Health { get; } = new(time);

    public bool ReturnsUnbegun => false;

    public bool HasLease(Attempt attempt) => attempt.IsAnnounced;

    public async Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        LogContext.ConfigureCurrentLogContext(loggers);
        _probe = new ConsumerProbe(options.UnresponsiveAfter, Health, time);
        _intake = new DeliveryIntake(attempts, ToItem, passOn: null, time);
        _bus = Bus.Factory.CreateUsingRabbitMq(cfg => Configure(cfg, attempts));
        _starting = _bus.StartAsync(_stop.Token); // goes on trying while there is no broker
        var endpoints = options.Queues.Select(queue => Connect(_bus, queue)).ToList();
        _announcing = new StartReporter(attempts, ReportStartsAsync, time, logger).RunAsync(_stop.Token);
        _listening = _probe.RunAsync(_bus, _stop.Token);
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The bus goes on and takes reports. An endpoint ends with its deliveries, and those with their tasks.
        _leaving = Task.WhenAll(endpoints.Select(e => e.StopAsync(CancellationToken.None)));
        await _intake.CloseAsync(_leaving);
    }

    public Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken) =>
        SendAsync([], [.. heartbeats.Select(h => new AttemptHeartbeat(h.Attempt.Item.Id, h.Attempt.Item.Attempt, h.Progress))], [],
            cancellationToken);

    /// <summary>The starts go with the outcomes even where they were reported: reports may overtake each other.</summary>
    public async Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken)
    {
        await SendAsync([.. attempts.Select(Start)], [], [.. attempts.Select(ToOutcome)], cancellationToken);
        return [];
    }

    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        if (_bus is null)
            return;
        await _stop.CancelAsync();
        await _announcing;
        await _listening;
        await _starting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var patience = new CancellationTokenSource(StopTimeout, time);
        await _leaving.WaitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _bus.StopAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stop.Dispose();

    private void Configure(IRabbitMqBusFactoryConfigurator cfg, InFlightAttempts attempts)
    {
        ForeignTopology.Host(cfg, address, tls);
        var own = $"{_user}.{Guid.NewGuid():N}"; // a name that the broker can let this user have, and no other
        cfg.ReceiveEndpoint(own, (IRabbitMqReceiveEndpointConfigurator e) =>
        {
            e.Durable = false;
            e.AutoDelete = true;
            // A queue that goes with its last consumer would take what comes while it reconnects with it
            e.QueueExpiration = TimeSpan.FromMinutes(1);
            e.DiscardFaultedMessages();
            e.DiscardSkippedMessages();
            e.BindForeign(own, options.Queues.Select(Addresses.EndedOf));
            _probe!.ReceiveAt(e);
            e.Handler<TasksCancelled>(c => EndAsync(attempts, c.Message.Tasks));
            e.Handler<TasksFailed>(c => EndAsync(attempts, c.Message.Tasks));
            e.Handler<TasksRetrying>(c => EndAsync(attempts, c.Message.Tasks));
        });
    }

    private HostReceiveEndpointHandle Connect(IBusControl bus, string queue) =>
        bus.ConnectReceiveEndpoint(queue, e =>
        {
            ((IRabbitMqReceiveEndpointConfigurator)e).ConsumeForeign(); // the server has declared it
            e.ConfigureConsumeTopology = false;
            e.DiscardSkippedMessages();
            e.PrefetchCount = (ushort)(options.Concurrency + options.Prefetch);
            e.RethrowFaultedMessages(); // given back to the broker: what this worker does not finish, another must
            e.Handler<DispatchTasks>(_intake!.TakeAsync);
        });

    private async Task<IReadOnlyList<Attempt>> ReportStartsAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken)
    {
        await SendAsync([.. attempts.Select(Start)], [], [], cancellationToken);
        return [];
    }

    private async Task SendAsync(
        IReadOnlyList<AttemptStarted> started, IReadOnlyList<AttemptHeartbeat> heartbeats, IReadOnlyList<AttemptOutcome> outcomes,
            CancellationToken cancellationToken)
    {
        if (_givenUp.AreTooMany)
            throw new TimeoutException("the broker does not confirm what was sent before");
        var send = ForeignTopology.SendAsync(_bus!, Addresses.ReportQueue,
            new ReportTasks(options.Name, started, heartbeats, outcomes), _user);
        await _givenUp.WaitAsync(send, Confirm, cancellationToken);
    }

    /// <summary>Whatever ends an attempt, or gives its task away, while it still runs here: a cancel, an expired lease.</summary>
    private Task EndAsync(InFlightAttempts attempts, IEnumerable<TaskStep> steps)
    {
        foreach (var step in steps)
        {
            if (attempts.Find(step.TaskId) is { } attempt && attempt.Item.Attempt <= step.Attempt && attempts.Lose(attempt))
                LogLost(step.TaskId, attempt.Item.Attempt);
        }

        return Task.CompletedTask;
    }

    private AttemptStarted Start(Attempt attempt) => new(attempt.Item.Id, attempt.Item.Attempt, options.Lease?.TotalSeconds);

    private static AttemptOutcome ToOutcome(Attempt attempt) =>
        new(attempt.Item.Id, attempt.Item.Attempt, attempt.Outcome?.Result, attempt.Outcome?.Error, attempt.Outcome?.Retryable
            ?? true, attempt.Outcome?.Delay?.TotalSeconds);

    private WorkItem ToItem(DispatchedTask task)
    {
        var (parent, state) = TraceOf(task.Headers);
        return new WorkItem(task.Id, task.Attempt, task.Queue, task.Tier, task.Name, task.Payload, options.Lease ?? DefaultLease)
        {
            TraceParent = parent,
            TraceState = state,
        };
    }

    private static (string? Parent, string? State) TraceOf(string? headers)
    {
        if (headers is null || !headers.Contains("traceparent", StringComparison.Ordinal))
            return default;
        try
        {
            using var document = JsonDocument.Parse(headers);
            return (Text(document.RootElement, "traceparent"), Text(document.RootElement, "tracestate"));
        }
        catch (JsonException)
        {
            return default; // headers are whatever a producer made them
        }
    }

    private static string? Text(JsonElement headers, string name) =>
        headers.ValueKind == JsonValueKind.Object && headers.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString() : null;

    [LoggerMessage(LogLevel.Information,
        "Task {TaskId} attempt {Attempt} is no longer this worker's: it was cancelled, or its lease has expired")]
    private partial void LogLost(Guid taskId, int attempt);
}
