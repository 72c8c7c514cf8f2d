using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>A worker: fetches tasks, runs them, keeps their leases and reports their outcomes, and gives back what it cannot finish.</summary>
internal sealed partial class WorkerService : BackgroundService
{
    /// <summary>What a report may still take after the drain.</summary>
    private static readonly TimeSpan ReportTimeout = TimeSpan.FromSeconds(4);

    private readonly TaskQueueWorkerOptions _options;
    private readonly IWorkerTransport _transport;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly InFlightAttempts _attempts;
    private readonly TaskRunner _runner;
    private readonly CancellationToken _stopping;

    public WorkerService(TaskQueueWorkerOptions options, IWorkerTransport transport, IServiceProvider services, TimeProvider time, ILogger<WorkerService> logger)
    {
        _options = options;
        _transport = transport;
        _time = time;
        _logger = logger;
        _attempts = new InFlightAttempts(options);
        _runner = new TaskRunner(_attempts, options, services, time, logger);
        _stopping = services.GetService<IHostApplicationLifetime>()?.ApplicationStopping ?? default;
    }

    /// <summary>How many tasks run.</summary>
    public int Running => _attempts.Running;

    /// <summary>Whether it works.</summary>
    public HealthCheckResult Check()
    {
        if (ExecuteTask is { IsFaulted: true, Exception: var fault })
            return HealthCheckResult.Unhealthy($"{_options.Name} has ended: {fault.InnerException?.Message}");
        var (silence, problem, isAway) = _transport.Contact.State;
        if (silence < _options.DeafAfter)
            return HealthCheckResult.Healthy();
        var text = $"{_options.Name} has heard nothing for {silence.TotalSeconds:0} s: {problem}";
        return isAway ? HealthCheckResult.Degraded(text) : HealthCheckResult.Unhealthy(text);
    }

    public override void Dispose()
    {
        (_transport as IDisposable)?.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield(); // the host goes on starting
        LogStarted(_options.Name, string.Join(", ", _options.Queues));
        using var giveUp = new CancellationTokenSource();
        using var beatsEnd = new CancellationTokenSource();
        var running = _runner.RunAsync();
        var reporting = new Reporter(_attempts, _transport, _time, _logger).RunAsync(giveUp.Token);
        var beating = new Heartbeats(_attempts, _transport, _time, _logger).RunAsync(beatsEnd.Token);
        // The host stops its services one after the other; all workers drain at once.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, _stopping);
        var fetching = _transport.FetchAsync(_attempts, stop.Token);

        await using var closing = stop.Token.Register(_attempts.Close);
        await fetching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _attempts.Close();
        await Task.WhenAny(running, Task.Delay(_options.DrainTimeout, _time, CancellationToken.None));
        _attempts.GiveBackAll();
        _attempts.Complete();
        giveUp.CancelAfter(ReportTimeout);
        await reporting;
        await beatsEnd.CancelAsync();
        await beating;
        await _transport.CloseAsync(CancellationToken.None);
        LogStopped(_options.Name);
        await fetching; // of a fault, the host decides
    }

    [LoggerMessage(LogLevel.Information, "Worker {Worker} works on {Queues}")]
    private partial void LogStarted(string worker, string queues);

    [LoggerMessage(LogLevel.Information, "Worker {Worker} has stopped")]
    private partial void LogStopped(string worker);
}
