using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Client;
using TaskQueue.Consumers.Workers;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Health;
using ClaimRequest = TaskQueue.Engine.Tasks.ClaimRequest;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Forwards tasks to the configured upstreams, with one worker per upstream.</summary>
internal sealed partial class UpstreamService : EngineWorker
{
    /// <summary>Longest wait of a claim, so that newly registered queues are served.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private readonly IServiceProvider _services;
    private readonly UpstreamQueues _queues;
    private readonly Drain _drain;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public UpstreamService(
        IServiceProvider services, IOptions<UpstreamList> list, UpstreamQueues queues, Drain drain, TimeProvider time,
        ILogger<UpstreamService> logger)
        : base(drain)
    {
        (_services, _queues, _drain, _time, _logger) = (services, queues, drain, time, logger);
        var upstreams = list.Value.Upstreams;
        Runtimes = [.. Link([.. upstreams.Select(u => new Upstream(u, upstreams, time))]).Select(Create)];
        foreach (var upstream in upstreams)
            LogServes(upstream.Endpoint, upstream.BaseUrl, upstream.MaxConcurrency);
    }

    protected override IReadOnlyList<WorkerRuntime> Runtimes { get; }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await _queues.RegisterAsync();
        await base.StartAsync(cancellationToken);
    }

    /// <summary>Upstreams with the same tasks know each other: one takes what another cannot run now.</summary>
    private static List<Upstream> Link(List<Upstream> all)
    {
        foreach (var one in all)
            one.Others = [.. all.Where(other => other != one && other.Options.HasTasksOf(one.Options))];
        return all;
    }

    /// <summary>Creates the worker of an upstream, which claims as many tasks as its concurrency allows.</summary>
    private WorkerRuntime Create(Upstream upstream)
    {
        var reports = ActivatorUtilities.CreateInstance<EngineReports>(_services, "upstream", typeof(UpstreamService));
        var plan = new ClaimPlan(LookAgain, async max =>
            new ClaimRequest(await _queues.TargetsAsync(upstream.Options), max, reports.Worker, EngineClaims.LeaseMs))
        {
            ReadyAsync = upstream.ReadyAsync, AbortsSoon = true,
        };
        var heartbeat = _services.GetRequiredService<LoopHeartbeats>().Of(typeof(UpstreamService));
        var transport = ActivatorUtilities.CreateInstance<EngineClaims>(_services, reports, plan, heartbeat);
        var handler = new UpstreamHandler(upstream, _services.GetRequiredService<UpstreamCalls>(), _drain);
        return new WorkerRuntime(LimitsOf(upstream.Options.MaxConcurrency), transport, handler, _time, _logger);
    }

    [LoggerMessage(LogLevel.Information, "Tasks of {Endpoint} are forwarded to {BaseUrl}, {MaxConcurrency} at once")]
    private partial void LogServes(string endpoint, string baseUrl, int maxConcurrency);
}
