using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>Runs a worker for the lifetime of its host.</summary>
internal sealed partial class WorkerService : BackgroundService
{
    private readonly TaskQueueWorkerOptions _options;
    private readonly IRemoteTransport _transport;
    private readonly ILogger _logger;
    private readonly WorkerRuntime _runtime;
    private readonly CancellationToken _applicationStopping;

    public WorkerService(TaskQueueWorkerOptions options, IRemoteTransport transport, IServiceProvider services, TimeProvider time,
        ILogger<WorkerService> logger)
    {
        _options = options;
        _transport = transport;
        _logger = logger;
        _runtime = new WorkerRuntime(
            new WorkerRuntimeOptions(options.Concurrency, options.Prefetch)
            {
                DrainTimeout = options.DrainTimeout,
                RunTimeLimit = options.RunTimeLimit,
                Handlers = options.Limits(),
            },
            transport, new ProcessorHandler(options, services), time, logger);
        _applicationStopping = services.GetService<IHostApplicationLifetime>()?.ApplicationStopping ?? default;
    }

    /// <summary>Number of running tasks.</summary>
    public int Running => _runtime.Running;

    /// <summary>Health of this worker.</summary>
    public HealthCheckResult Check()
    {
        if (ExecuteTask is { IsFaulted: true, Exception: var fault })
            return HealthCheckResult.Unhealthy($"{_options.Name} has ended: {fault.InnerException?.Message}");
        if (_runtime.IsDraining)
            return HealthCheckResult.Healthy($"{_options.Name} was asked to drain and claims no more tasks; {Running} are running");
        var (silence, problem, isAway) = _transport.Health.State;
        if (silence < _options.UnresponsiveAfter)
            return HealthCheckResult.Healthy();
        var text = $"{_options.Name} has had no contact for {silence.TotalSeconds:0} s: {problem}";
        return isAway ? HealthCheckResult.Degraded(text) : HealthCheckResult.Unhealthy(text);
    }

    public override void Dispose()
    {
        (_transport as IDisposable)?.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield(); // do not block host startup
        LogStarted(_options.Name, string.Join(", ", _options.Queues));
        // The host stops its services one by one; this makes all workers drain concurrently.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, _applicationStopping);
        await _runtime.RunAsync(stop.Token); // the host handles a failure
        LogStopped(_options.Name);
    }

    [LoggerMessage(LogLevel.Information, "Worker {Worker} works on {Queues}")]
    private partial void LogStarted(string worker, string queues);

    [LoggerMessage(LogLevel.Information, "Worker {Worker} has stopped")]
    private partial void LogStopped(string worker);
}
