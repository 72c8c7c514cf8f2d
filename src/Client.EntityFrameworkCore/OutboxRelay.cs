using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>
/// Sends what is in the outbox of a context, in the order of its keys, one batch after the other. Any number of relays may share an outbox.
/// A crash repeats at most the last batch, whose tasks the server then knows by their ids.
/// </summary>
internal sealed partial class OutboxRelay<TContext> : BackgroundService
    where TContext : DbContext
{
    /// <summary>The gauges are not read more often, even if the outbox is.</summary>
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromSeconds(1);

    /// <summary>A server that asks for more is asked again nevertheless.</summary>
    private static readonly TimeSpan LongestWish = TimeSpan.FromMinutes(10);

    private readonly string _name;
    private readonly IServiceScopeFactory _scopes;
    private readonly OutboxOptions _options;
    private readonly Signal _signal;
    private readonly OutboxAdmin<TContext> _admin;
    private readonly OutboxMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly OutboxStore _store;
    private readonly OutboxSender _sender;
    private readonly OutboxSuspects _suspects;
    private readonly Backoff _backoff;

    /// <summary>Grows with every batch that is sent: a batch may be too much for a quota or a timeout, and a part of it not.</summary>
    private int _batchSize;

    /// <summary>A pass did not end, so this relay may have leases and rows to delete.</summary>
    private bool _isUnsettled;

    private long? _statisticsAt;

    /// <summary>Why the last pass failed; logged once.</summary>
    private string? _failed;

    public OutboxRelay(
        string name, OutboxOptions options, ITaskProducer producer, Signal signal, OutboxAdmin<TContext> admin, OutboxMetrics metrics,
        IServiceScopeFactory scopes, TimeProvider time, ILogger<OutboxRelay<TContext>> logger)
    {
        _name = name;
        _scopes = scopes;
        _options = options;
        _signal = signal;
        _admin = admin;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        var owner = $"{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid():N}";
        _store = new OutboxStore(owner[Math.Max(0, owner.Length - OutboxModel.MaxOwner)..], options, time);
        _sender = new OutboxSender(producer, _store, options, metrics, _name, logger);
        _suspects = new OutboxSuspects(_store, _sender);
        _backoff = new Backoff(options.MaxBackoff, time);
        _batchSize = options.BatchSize;
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await using (var scope = _scopes.CreateAsyncScope())
            OutboxEnqueue.DemandOutbox(scope.ServiceProvider.GetRequiredService<TContext>());
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield(); // do not block host startup
        _metrics.Sent(_name, 0); // shows zero: a series that begins with its first task would not increase
        _metrics.SetAside(_name, 0);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RunOnceAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
        }

        await GoAsync();
    }

    /// <summary>One pass and the wait for the next.</summary>
    private async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        Exception? problem;
        var mayHaveMore = false;
        try
        {
            (problem, mayHaveMore) = await PassAsync(stoppingToken);
        }
#pragma warning disable CA1031 // the database may be away for now, or its table not be there yet
        catch (Exception fault)
#pragma warning restore CA1031
        {
            problem = fault;
        }

        await ReadStatisticsAsync(stoppingToken);
        stoppingToken.ThrowIfCancellationRequested();
        if (problem is not null)
        {
            if (_failed != problem.Message)
                LogFailed(_name, problem.Message);
            _failed = problem.Message;
            _batchSize = Math.Max(1, _batchSize / 2);
            var wish = (problem as TaskQueueException)?.RetryAfter;
            await _backoff.WaitAsync(wish > LongestWish ? LongestWish : wish, stoppingToken);
            return;
        }

        if (_failed is not null)
            LogWorksAgain(_name);
        _failed = null;
        _backoff.Reset();
        if (!mayHaveMore)
            await _signal.WaitAsync(_options.PollInterval, _time, stoppingToken);
    }

    /// <summary>Sends a batch.</summary>
    /// <returns>Why it could not be sent, or whether more rows may be due.</returns>
    private async Task<(Exception? Problem, bool MayHaveMore)> PassAsync(CancellationToken stoppingToken)
    {
        await using var scope = _scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TContext>();
        if (_isUnsettled)
            await SettleAsync(db);
        _isUnsettled = true;
        var batch = await _store.ClaimAsync(db, _batchSize, stoppingToken);
        var problem = batch.Rows.Count > 0 ? await SendAsync(db, batch.Rows, stoppingToken) : null;
        if (problem is null)
            _suspects.Passed();
        else if (batch.Rows is [var alone] && !stoppingToken.IsCancellationRequested)
        {
            var isOfTasks = OutboxFaults.Judge(problem) == OutboxFault.Unknown;
            problem = await _suspects.FailedAsync(db, alone, problem, rows => SendAsync(db, rows, stoppingToken), stoppingToken);
            if (problem is null && isOfTasks)
                _batchSize = _options.BatchSize; // it was never too much: large batches find the good ones soonest
        }

        _isUnsettled = false;
        if (problem is null)
            _batchSize = Math.Min(_options.BatchSize, _batchSize * 2);
        return (problem, batch.MayHaveMore);
    }

    private async Task<Exception?> SendAsync(TContext db, IReadOnlyList<OutboxTask> rows, CancellationToken stoppingToken)
    {
        using var deadline = new CancellationTokenSource(_options.Lease * 0.75, _time); // before another relay sends them
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stoppingToken);
        var problem = await _sender.SendAsync(db, rows, either.Token);
        return problem is OperationCanceledException && deadline.IsCancellationRequested
            ? new TimeoutException($"a batch of {rows.Count} tasks was not accepted within {_options.Lease * 0.75}", problem) : problem;
    }

    /// <summary>Leaves nothing that others would wait for, if the host stops in the middle of a claim.</summary>
    private async Task GoAsync()
    {
        if (!_isUnsettled)
            return;
        try
        {
            await using var scope = _scopes.CreateAsyncScope();
            await SettleAsync(scope.ServiceProvider.GetRequiredService<TContext>());
        }
#pragma warning disable CA1031 // then the leases end by themselves
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogFailed(_name, fault.Message);
        }
    }

    private async Task SettleAsync(TContext db)
    {
        await _sender.DeleteSentAsync(db);
        await _store.ReleaseAllAsync(db);
        _isUnsettled = false;
    }

    private async Task ReadStatisticsAsync(CancellationToken cancellationToken)
    {
        var interval = _options.PollInterval > ShortestInterval ? _options.PollInterval : ShortestInterval;
        if (_statisticsAt is { } at && _time.GetElapsedTime(at) < interval)
            return;
        try
        {
            _metrics.Show(_name, await _admin.GetStatisticsAsync(cancellationToken));
        }
#pragma warning disable CA1031 // then there is nothing to show, which is better than what was long ago
        catch (Exception)
#pragma warning restore CA1031
        {
            _metrics.Hide(_name);
        }

        _statisticsAt = _time.GetTimestamp();
    }

    [LoggerMessage(LogLevel.Warning, "The outbox of {Context} cannot be sent; retrying, and logging no more of this: {Why}")]
    private partial void LogFailed(string context, string why);

    [LoggerMessage(LogLevel.Information, "The outbox of {Context} is sent again")]
    private partial void LogWorksAgain(string context);
}
