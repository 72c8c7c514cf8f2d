using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>
/// Takes tasks of push queues from RabbitMQ. A delivery is acknowledged when the engine knows of the start, or of the
/// outcome, of each of its tasks. Quick attempts are reported once, with their start and their outcome.
/// </summary>
[RequiresUnreferencedCode("MassTransit makes its messages by reflection")]
[RequiresDynamicCode("MassTransit makes its messages by reflection")]
internal sealed partial class BusTransport(TaskQueueWorkerOptions options, Uri address, BrokerTls tls, TimeProvider time, ILoggerFactory loggers, ILogger<BusTransport> logger) : IWorkerTransport, IDisposable
{
    private static readonly TimeSpan DefaultLease = TimeSpan.FromSeconds(15);

    /// <summary>An attempt that takes longer has its start reported before its outcome.</summary>
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(200);

    /// <summary>A publish can wait for ever when its connection breaks; sending again is safe, because everything on the bus may come twice.</summary>
    private static readonly TimeSpan Confirm = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Until the broker knows that this worker takes no more. What goes back earlier would come again, and after some times the
    /// broker would take it for poison.
    /// </summary>
    private static readonly TimeSpan Closing = TimeSpan.FromMilliseconds(250);

    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly ExpiredConfirms _givenUp = new(time);
    private readonly string _user = tls.UserOf(address);
    private Task _starting = Task.CompletedTask;
    private Task _announcing = Task.CompletedTask;
    private Task _listening = Task.CompletedTask;
    private Task _leaving = Task.CompletedTask;
    private IBusControl? _bus;
    private ConsumerProbe? _probe;

    public ConnectionHealth Contact { get; } = new(time);

    public bool HasLease(Attempt attempt) => attempt.IsAnnounced;

    public async Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        LogContext.ConfigureCurrentLogContext(loggers);
        _probe = new ConsumerProbe(options.DeafAfter, Contact, time);
        _bus = Bus.Factory.CreateUsingRabbitMq(cfg => Configure(cfg, attempts));
        _starting = _bus.StartAsync(_stop.Token); // goes on trying while there is no broker
        var endpoints = options.Queues.Select(queue => Connect(_bus, queue, attempts)).ToList();
        _announcing = AnnounceAllAsync(attempts);
        _listening = _probe.RunAsync(_bus, _stop.Token);
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The bus goes on and takes reports. An endpoint ends with its deliveries, and those with their tasks.
        _leaving = Task.WhenAll(endpoints.Select(e => e.StopAsync(CancellationToken.None)));
        await Task.WhenAny(_leaving, Task.Delay(Closing, time, CancellationToken.None));
        _closed.TrySetResult();
    }

    public Task BeatAsync(IReadOnlyList<Heartbeat> beats, CancellationToken cancellationToken) =>
        SendAsync([], [.. beats.Select(b => new AttemptHeartbeat(b.Attempt.Item.Id, b.Attempt.Item.Attempt, b.Progress))], [], cancellationToken);

    /// <summary>The starts go with the outcomes even where they were reported: reports may overtake each other.</summary>
    public Task ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken) =>
        SendAsync([.. attempts.Select(Start)], [], [.. attempts.Select(ToOutcome)], cancellationToken);

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

    public void Dispose()
    {
        _stop.Dispose();
        _turn.Dispose();
    }

    /// <summary>Goes on while the worker drains: what it announces is kept, should the process die.</summary>
    private async Task AnnounceAllAsync(InFlightAttempts attempts)
    {
        using var timer = new PeriodicTimer(Quick / 2, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
                await AnnounceAsync(attempts, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The end; what has begun is announced with its outcome.
        }
    }

    private void Configure(IRabbitMqBusFactoryConfigurator cfg, InFlightAttempts attempts)
    {
        ForeignTopology.Host(cfg, address, tls);
        var own = $"{_user}.{Guid.NewGuid():N}"; // a name that the broker can let this user have, and no other
        cfg.ReceiveEndpoint(own, (IRabbitMqReceiveEndpointConfigurator e) =>
        {
            e.Durable = false;
            e.AutoDelete = true;
            e.QueueExpiration = TimeSpan.FromMinutes(1); // a queue that goes with its last consumer would take what comes while it reconnects with it
            e.DiscardFaultedMessages();
            e.DiscardSkippedMessages();
            e.BindForeign(own, options.Queues.Select(Addresses.EndedOf));
            _probe!.ReceiveAt(e);
            e.Handler<TasksCancelled>(c => EndAsync(attempts, c.Message.Tasks));
            e.Handler<TasksFailed>(c => EndAsync(attempts, c.Message.Tasks));
            e.Handler<TasksRetrying>(c => EndAsync(attempts, c.Message.Tasks));
        });
    }

    private HostReceiveEndpointHandle Connect(IBusControl bus, string queue, InFlightAttempts attempts) =>
        bus.ConnectReceiveEndpoint(queue, e =>
        {
            ((IRabbitMqReceiveEndpointConfigurator)e).ConsumeForeign(); // the server has declared it
            e.ConfigureConsumeTopology = false;
            e.DiscardSkippedMessages();
            e.PrefetchCount = (ushort)(options.Concurrency + options.Prefetch);
            e.RethrowFaultedMessages(); // given back to the broker: what this worker does not finish, another must
            e.Handler<DispatchTasks>(context => TakeAsync(attempts, context));
        });

    /// <summary>Takes the tasks of a delivery as there is room for them.</summary>
    private async Task TakeAsync(InFlightAttempts attempts, ConsumeContext<DispatchTasks> context)
    {
        var taken = new List<Attempt>();
        try
        {
            foreach (var task in context.Message.Tasks)
            {
                if (taken.Count == 0 && attempts.IsClosed)
                    await GoBackAsync(context.CancellationToken);
                taken.Add(await TakeAsync(attempts, task, context.CancellationToken));
            }

            await Task.WhenAll(taken.Select(a => a.Kept)).WaitAsync(context.CancellationToken);
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            // The broker has taken the delivery back: what was not begun is somebody else's.
            taken.Where(a => a.BeganAt is null).ToList().ForEach(a => attempts.Lose(a));
            throw;
        }
    }

    /// <summary>One delivery at a time takes the room that there is.</summary>
    private async Task<Attempt> TakeAsync(InFlightAttempts attempts, DispatchedTask task, CancellationToken lost)
    {
        await _turn.WaitAsync(lost);
        try
        {
            await attempts.RoomForOneAsync(lost);
            return attempts.Take(ToItem(task));
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task GoBackAsync(CancellationToken lost)
    {
        await _closed.Task.WaitAsync(lost);
        throw new OperationCanceledException("this worker stops");
    }

    /// <summary>Says of attempts that are not quick that they began.</summary>
    private async Task AnnounceAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        var slow = attempts.Held.Where(a => !a.IsAnnounced && a.BeganAt is { } began && time.GetElapsedTime(began) > Quick / 2).ToList();
        if (slow.Count == 0)
            return;
        try
        {
            await SendAsync([.. slow.Select(Start)], [], [], cancellationToken);
            foreach (var attempt in slow)
            {
                attempt.IsAnnounced = true;
                attempt.Keep();
            }

            attempts.Progress.Set();
        }
#pragma warning disable CA1031 // tried again with the next tick
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!cancellationToken.IsCancellationRequested)
                LogNotAnnounced(slow.Count, fault.Message);
        }
    }

    private async Task SendAsync(
        IReadOnlyList<AttemptStarted> started, IReadOnlyList<AttemptHeartbeat> beats, IReadOnlyList<AttemptOutcome> outcomes, CancellationToken cancellationToken)
    {
        if (_givenUp.AreTooMany)
            throw new TimeoutException("the broker does not confirm what was sent before");
        var send = ForeignTopology.SendAsync(_bus!, Addresses.ReportQueue, new ReportTasks(options.Name, started, beats, outcomes), _user);
        await _givenUp.WaitAsync(send, Confirm, cancellationToken);
    }

    /// <summary>Whatever ends an attempt, or gives its task away, while it still runs here: a cancel, an expired lease.</summary>
    private Task EndAsync(InFlightAttempts attempts, IEnumerable<TaskStep> steps)
    {
        foreach (var step in steps)
        {
            foreach (var attempt in attempts.Held.Where(a => a.Item.Id == step.TaskId && a.Item.Attempt <= step.Attempt))
            {
                if (attempts.Lose(attempt))
                    LogLost(step.TaskId, attempt.Item.Attempt);
            }
        }

        return Task.CompletedTask;
    }

    private AttemptStarted Start(Attempt attempt) => new(attempt.Item.Id, attempt.Item.Attempt, options.Lease?.TotalSeconds);

    private static AttemptOutcome ToOutcome(Attempt attempt) =>
        new(attempt.Item.Id, attempt.Item.Attempt, attempt.Outcome?.Result, attempt.Outcome?.Error, attempt.Outcome?.Retryable ?? true, attempt.Outcome?.Delay?.TotalSeconds);

    private WorkItem ToItem(DispatchedTask task)
    {
        var (parent, state) = TraceOf(task.Headers);
        return new WorkItem(task.Id, task.Attempt, task.Queue, task.Level, task.Name, task.Payload, options.Lease ?? DefaultLease)
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
        headers.ValueKind == JsonValueKind.Object && headers.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    [LoggerMessage(LogLevel.Warning, "The start of {Count} tasks could not be reported and is tried again: {Why}")]
    private partial void LogNotAnnounced(int count, string why);

    [LoggerMessage(LogLevel.Information, "Task {TaskId} attempt {Attempt} is no longer this worker's: it was cancelled, or its lease has expired")]
    private partial void LogLost(Guid taskId, int attempt);
}
