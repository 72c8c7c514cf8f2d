using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>Claims tasks from pull queues of the server: what is common to HTTP and gRPC.</summary>
internal abstract partial class PullTransport(TaskQueueWorkerOptions options, TimeProvider time, ILogger logger) : IRemoteTransport
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan DefaultLease = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Grace period for a claim in flight when the worker stops: if abandoned, its tasks would wait for their leases to expire.
    /// </summary>
    private static readonly TimeSpan LastClaim = TimeSpan.FromSeconds(1);

    /// <summary>Delay before retrying a refused request, which cannot succeed until its cause is fixed.</summary>
    private static readonly TimeSpan Refused = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(10);

    private readonly Backoff _backoff = new(LongestBackoff, time);

    /// <summary>An idle worker hears from the server several times within UnresponsiveAfter.</summary>
    protected double WaitSeconds { get; } =
        (options.UnresponsiveAfter / 3 < LongestWait ? options.UnresponsiveAfter / 3 : LongestWait).TotalSeconds;

    protected ClaimInfo Info { get; } = ClaimInfo.Of(options);

    private InFlightAttempts? _attempts;

    /// <summary>Why the last claim was refused; logged once.</summary>
    private string? _refused;

    public ConnectionHealth Health { get; } = new(time);

    public bool ReturnsUnbegun => false;

    public bool HasLease(Attempt attempt) => true;

    public async Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        _attempts = attempts;
        using var giveUp = new CancellationTokenSource();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, attempts.DrainRequested);
        await using var stopping = cancellationToken.Register(() => giveUp.CancelAfter(LastClaim));
        try
        {
            while (!cancellationToken.IsCancellationRequested && !attempts.DrainRequested.IsCancellationRequested)
            {
                Health.Rest(); // heartbeats continue while there is no room
                var room = await attempts.RoomAsync(either.Token);
                Health.Wake();
                await TryFetchAsync(attempts, room, either.Token, cancellationToken, giveUp.Token);
            }
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            // The end.
        }
        finally
        {
            Health.Rest();
        }
    }

    public async Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken)
    {
        try
        {
            await SendHeartbeatsAsync(heartbeats, cancellationToken);
        }
        catch (TaskQueueException fault)
        {
            Health.Failed(fault.Message, fault.IsTransient);
            throw;
        }
    }

    private async Task SendHeartbeatsAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken)
    {
        var answers = await CallAsync(new HeartbeatRequest([.. heartbeats.Select(h =>
            new HeartbeatLine(h.Attempt.Item.Id, h.Attempt.Item.Attempt, options.Lease?.TotalSeconds, h.Progress, Lines(h.Log)))]),
            cancellationToken);
        if (Health.Rests)
            Health.Heard(); // while the worker claims, only claims count
        Obey(answers.Drain);
        foreach (var (heartbeat, answer) in heartbeats.Zip(answers.Tasks))
        {
            heartbeat.Refusal = answer.ToRefusal();
            if (answer.IsGone && _attempts?.Lose(heartbeat.Attempt) == true)
                LogLost(heartbeat.Attempt.Item.Id, heartbeat.Attempt.Item.Attempt, answer.Code);
        }
    }

    /// <summary>Says goodbye, so that the server does not take the worker for lost.</summary>
    public async Task CloseAsync()
    {
        try
        {
            using var patience = new CancellationTokenSource(LastClaim, time);
            await CallAsync(new StoppedRequest(options.Name), patience.Token);
        }
        catch (Exception fault) when (fault is TaskQueueException or OperationCanceledException)
        {
            LogNoGoodbye(fault.Message);
        }
    }

    /// <summary>Claims tasks once, or for as long as a stream lasts.</summary>
    /// <param name="attempts">Accepts the tasks.</param>
    /// <param name="room">How many may be claimed at first.</param>
    /// <param name="enough">Cancelled when the worker claims no more; tasks that arrive afterwards are still accepted.</param>
    /// <param name="giveUp">Cancelled soon after the worker stops.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    protected abstract Task FetchOnceAsync(InFlightAttempts attempts, int room, CancellationToken enough, CancellationToken giveUp);

    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    protected abstract Task<LineAnswers> CallAsync(HeartbeatRequest request, CancellationToken cancellationToken);

    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    protected abstract Task<LineAnswers> CallAsync(ReportRequest request, CancellationToken cancellationToken);

    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    protected abstract Task CallAsync(StoppedRequest request, CancellationToken cancellationToken);

    /// <summary>The server has answered a claim.</summary>
    protected void Claimed(InFlightAttempts attempts, IEnumerable<ClaimedTask> tasks, bool drain)
    {
        _backoff.Reset();
        Health.Heard();
        attempts.Outages?.Succeeded();
        _refused = null;
        foreach (var task in tasks)
            attempts.Take(ToItem(task));
        Obey(drain);
    }

    private async Task TryFetchAsync(InFlightAttempts attempts, int room, CancellationToken enough, CancellationToken cancellationToken,
        CancellationToken giveUp)
    {
        try
        {
            await FetchOnceAsync(attempts, room, enough, giveUp);
        }
        catch (TaskQueueException fault) when (fault.IsTransient)
        {
            attempts.Outages?.Failed(fault.Message);
            Health.Failed(fault.Message, isAway: true);
            await _backoff.WaitAsync(fault.RetryAfter, cancellationToken);
        }
        catch (TaskQueueException fault)
        {
            if (_refused != Advice(fault))
                LogCannotClaim(string.Join(", ", options.Queues), Advice(fault));
            _refused = Advice(fault);
            Health.Failed(Advice(fault), isAway: false);
            await Task.Delay(Refused, time, cancellationToken);
        }
    }

    private static string Advice(TaskQueueException fault) =>
        fault switch
        {
            { Code: "push_queue" } =>
                $"{fault.Message}; call UseRabbitMq of TaskQueue.Client.RabbitMq on the worker's options, or use a pull queue",
            { Status: 401 } => $"the server requires a valid key: set ApiKey ({fault.Message})",
            { Status: 403 } => $"the key may not work on the queue ({fault.Message})",
            _ => fault.Message,
        };

    /// <summary>The length of the lease counts, not its end: the clocks of the server and this machine may differ.</summary>
    private WorkItem ToItem(ClaimedTask task) =>
        new(task.Id, task.Attempt, task.Queue, task.Tier, task.Name, task.Payload, options.Lease
            ?? (task.LeaseSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : DefaultLease))
        {
            Priority = task.Priority,
            MaxAttempts = task.MaxAttempts,
            Tags = task.Tags ?? [],
            Progress = task.Progress,
            TraceParent = task.Traceparent,
            TraceState = task.Tracestate,
        };

    private void Obey(bool drain)
    {
        if (!drain || _attempts is not { DrainRequested.IsCancellationRequested: false } attempts)
            return;
        LogDrain(options.Name);
        attempts.Drain();
    }

    private static List<LogLine>? Lines(IReadOnlyList<LogEntry>? log) =>
        log?.Select(l => new LogLine(l.At, l.Word, l.Message)).ToList();

    [LoggerMessage(LogLevel.Information,
        "Worker {Worker} was asked to drain: it finishes its tasks and claims no more until it is restarted")]
    private partial void LogDrain(string worker);

    [LoggerMessage(LogLevel.Debug, "The server was not told that the worker stops: {Why}")]
    private partial void LogNoGoodbye(string why);

    [LoggerMessage(LogLevel.Error, "Cannot claim tasks from {Queues}, trying again every 15 s: {Why}")]
    private partial void LogCannotClaim(string queues, string why);

    [LoggerMessage(LogLevel.Debug, "This worker lost the lease of task {TaskId} attempt {Attempt}: {Code}")]
    private partial void LogLost(Guid taskId, int attempt, string code);

    [LoggerMessage(LogLevel.Error, "The outcome of task {TaskId} was refused: {Why}")]
    private partial void LogRefused(Guid taskId, string why);
}
