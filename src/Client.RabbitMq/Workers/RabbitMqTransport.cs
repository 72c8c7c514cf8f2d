using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Consumes push queues from RabbitMQ on its own bus.</summary>
[RequiresUnreferencedCode("MassTransit creates messages by reflection")]
[RequiresDynamicCode("MassTransit creates messages by reflection")]
internal sealed partial class RabbitMqTransport(TaskQueueWorkerOptions options, Uri address, BrokerTls tls, TimeProvider time,
    ILoggerFactory loggers, ILogger<RabbitMqTransport> logger) : IRemoteTransport, IDisposable
{
    private static readonly TimeSpan DefaultLease = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Confirm timeout: a publish can wait forever when its connection breaks. Retrying is safe, because consumers tolerate duplicates.
    /// </summary>
    private static readonly TimeSpan Confirm = TimeSpan.FromSeconds(10);

    /// <summary>Beyond the time after which a broker that is away is known to be.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();
    private readonly ExpiredConfirms _givenUp = new(time);
    private readonly string _user = tls.UserOf(address);
    private Task _starting = Task.CompletedTask;
    private Task _announcing = Task.CompletedTask;
    private Task _listening = Task.CompletedTask;
    private Task _leaving = Task.CompletedTask;
    private Task _watching = Task.CompletedTask;
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
        _starting = _bus.StartAsync(_stop.Token); // retries while there is no broker
        var endpoints = options.Queues.Select(queue => Connect(_bus, queue)).ToList();
        _watching = Task.WhenAll(options.Queues.Zip(endpoints, WatchAsync).Append(AnnounceAsync()));
        _announcing = new StartReporter(attempts, ReportStartsAsync, time, logger).RunAsync(_stop.Token);
        _listening = _probe.RunAsync(_bus, _stop.Token);
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The bus stays up for reports. An endpoint stops after its deliveries end, and those after their tasks.
        _leaving = Task.WhenAll(endpoints.Select(e => e.StopAsync(CancellationToken.None)));
        await _intake.CloseAsync(_leaving);
    }

    /// <summary>Repeats the start with progress, as with outcomes: reports may overtake each other, and progress is sent once.</summary>
    public Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken) =>
        SendAsync(
            [.. heartbeats.Where(h => h.Progress is not null || h.Log is not null).Select(h => Start(h.Attempt))],
            [.. heartbeats.Select(h =>
                new AttemptHeartbeat(h.Attempt.Item.Id, h.Attempt.Item.Attempt, h.Progress) { Logs = Lines(h.Log) })],
            [],
            cancellationToken);

    /// <summary>
    /// Repeats the start with each outcome even if already reported, and the progress of attempts that another follows: reports may
    /// overtake each other, and a checkpoint must not be lost.
    /// </summary>
    public async Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken)
    {
        var entries = attempts.Select(a => (Start: Start(a), Outcome: Fitting(ToOutcome(a)), Last: LastHeartbeat(a)));
        foreach (var some in MessageSize.Split(
            entries, e => MessageSize.Of(e.Outcome) + MessageSize.Of(e.Last?.Progress), options.MaxMessageBytes))
        {
            await SendAsync([.. some.Select(e => e.Start)], [.. some.Select(e => e.Last).OfType<AttemptHeartbeat>()],
                [.. some.Select(e => e.Outcome)], cancellationToken);
        }

        return [];
    }

    /// <summary>The last progress of an attempt that does not complete its task; null if there is none, or it would not fit.</summary>
    private AttemptHeartbeat? LastHeartbeat(Attempt attempt) =>
        attempt is { Outcome.IsCompleted: false, LastProgress: { } progress }
            && MessageSize.Of(ToOutcome(attempt)) + MessageSize.Of(progress) < options.MaxMessageBytes - MessageSize.Envelope
            ? new AttemptHeartbeat(attempt.Item.Id, attempt.Item.Attempt, progress) : null;

    public async Task CloseAsync()
    {
        if (_bus is null)
            return;
        await _stop.CancelAsync();
        await _announcing;
        await _listening;
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _starting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var patience = new CancellationTokenSource(StopTimeout, time);
        await _leaving.WaitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _bus.StopAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stop.Dispose();

    private void Configure(IRabbitMqBusFactoryConfigurator cfg, InFlightAttempts attempts)
    {
        ForeignTopology.Host(cfg, address, tls);
        var own = $"{_user}.{Guid.NewGuid():N}"; // the prefix lets broker permissions restrict the queue to this user
        cfg.ReceiveEndpoint(own, (IRabbitMqReceiveEndpointConfigurator e) =>
        {
            e.Durable = false;
            e.AutoDelete = true;
            // A queue deleted with its last consumer would lose the messages that arrive during a reconnect.
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

    /// <summary>Warns if the broker answers, but has no such queue: nothing arrives until the server declares it.</summary>
    private async Task WatchAsync(string queue, HostReceiveEndpointHandle endpoint)
    {
        var patience = (options.UnresponsiveAfter / 2 < Confirm ? options.UnresponsiveAfter / 2 : Confirm) + Margin;
        await Task.WhenAny(endpoint.Ready, Task.Delay(patience, time, _stop.Token));
        if (endpoint.Ready.IsCompletedSuccessfully || _stop.IsCancellationRequested || Health.State.IsAway)
            return;
        LogSilent(options.Name, queue);
        await Task.WhenAny(endpoint.Ready, Task.Delay(Timeout.InfiniteTimeSpan, time, _stop.Token));
        if (endpoint.Ready.IsCompletedSuccessfully)
            LogHeard(options.Name, queue);
    }

    /// <summary>Tells the server from which queues the worker consumes.</summary>
    private async Task AnnounceAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await ForeignTopology.SendAsync(_bus!, Addresses.ReportQueue,
                    new ReportTasks(options.Name, [], [], []) { Queues = [.. options.Queues] }, _user)
                    .WaitAsync(Confirm, time, _stop.Token);
                return;
            }
#pragma warning disable CA1031 // tried again: the broker may be away for now, and the worker works without it
            catch (Exception)
#pragma warning restore CA1031
            {
                await Task.Delay(Confirm, time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private HostReceiveEndpointHandle Connect(IBusControl bus, string queue) =>
        bus.ConnectReceiveEndpoint(queue, e =>
        {
            ((IRabbitMqReceiveEndpointConfigurator)e).ConsumeForeign(); // the server declares it
            e.ConfigureConsumeTopology = false;
            e.DiscardSkippedMessages();
            e.PrefetchCount = (ushort)(options.Concurrency + options.Prefetch);
            e.RethrowFaultedMessages(); // return unfinished tasks to the broker for another worker
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
            throw new TimeoutException("the broker has not confirmed earlier messages");
        var send = ForeignTopology.SendAsync(_bus!, Addresses.ReportQueue,
            new ReportTasks(options.Name, started, heartbeats, outcomes), _user);
        await _givenUp.WaitAsync(send, Confirm, cancellationToken);
    }

    /// <summary>Drops attempts that still run here but have lost their task, by cancellation or an expired lease.</summary>
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

    /// <summary>An outcome that the broker would refuse must not hold up all others: its task fails.</summary>
    private AttemptOutcome Fitting(AttemptOutcome outcome)
    {
        var fitting = MessageSize.Fit(outcome, options.MaxMessageBytes);
        if (fitting.Result is null && outcome.Result is not null)
            LogTooLarge(outcome.TaskId, fitting.Error);
        return fitting;
    }

    private static AttemptOutcome ToOutcome(Attempt attempt) =>
        new(attempt.Item.Id, attempt.Item.Attempt, attempt.Outcome?.Result, attempt.Outcome?.Error,
            attempt.Outcome?.Retryable ?? true, attempt.Outcome?.Delay?.TotalSeconds)
        {
            ErrorType = attempt.Outcome?.ErrorType,
            Stack = attempt.Outcome?.Stack,
            RetryAfterSeconds = attempt.Outcome?.RetryAfter?.TotalSeconds,
            Logs = Lines(attempt.LastLog()),
        };

    private static List<AttemptLogLine>? Lines(IReadOnlyList<LogEntry>? log) =>
        log?.Select(l => new AttemptLogLine(l.At.UtcDateTime, l.Word, l.Message)).ToList();

    private WorkItem ToItem(DispatchedTask task)
    {
        var (parent, state) = TraceOf(task.Headers);
        var lease = options.Lease ?? (task.LeaseSeconds is { } own ? TimeSpan.FromSeconds(own) : DefaultLease);
        return new WorkItem(task.Id, task.Attempt, task.Queue, task.Tier, task.Name, task.Payload, lease)
        {
            Progress = task.Progress,
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
            return default; // producers may write arbitrary headers
        }
    }

    private static string? Text(JsonElement headers, string name) =>
        headers.ValueKind == JsonValueKind.Object && headers.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString() : null;

    [LoggerMessage(LogLevel.Warning, "Worker {Worker} receives nothing from queue {Queue}: the broker has no such queue. Declare it on the "
        + "server with the delivery push, or claim from it over HTTP")]
    private partial void LogSilent(string worker, string queue);

    [LoggerMessage(LogLevel.Information, "Worker {Worker} receives tasks from queue {Queue} now")]
    private partial void LogHeard(string worker, string queue);

    [LoggerMessage(LogLevel.Error, "The result of task {TaskId} cannot be sent, so it fails: {Why}")]
    private partial void LogTooLarge(Guid taskId, string? why);

    [LoggerMessage(LogLevel.Debug,
        "This worker lost task {TaskId} attempt {Attempt}: it was cancelled, or its lease expired")]
    private partial void LogLost(Guid taskId, int attempt);
}
