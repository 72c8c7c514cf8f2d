using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Client;
using TaskQueue.Consumers.Workers;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;
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
        IServiceProvider services, IOptions<UpstreamList> list, UpstreamQueues queues, Drain drain, IMeterFactory meters,
        TimeProvider time, ILogger<UpstreamService> logger)
        : base(drain)
    {
        (_services, _queues, _drain, _time, _logger) = (services, queues, drain, time, logger);
        var upstreams = list.Value.Upstreams;
        List<Upstream> all = [.. upstreams.Select(u => new Upstream(u, upstreams, time))];
        Upstream.Link(all, time);
        Runtimes = [.. all.Select(Create)];
        Show(meters, all);
        foreach (var upstream in upstreams)
            LogServes(upstream.Endpoint, upstream.BaseUrl, upstream.MaxConcurrency);
    }

    protected override IReadOnlyList<WorkerRuntime> Runtimes { get; }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await _queues.RegisterAsync();
        await base.StartAsync(cancellationToken);
    }

    private static void Show(IMeterFactory meters, List<Upstream> all)
    {
        var adaptive = all.Index().Where(u => u.Item.Concurrency is not null).ToList();
        if (adaptive.Count > 0)
            meters.Create(TaskQueueMeter.Name).CreateObservableGauge("taskqueue.upstream.concurrency",
                () => adaptive.Select(u => new Measurement<int>(u.Item.Concurrency!.Current,
                    new KeyValuePair<string, object?>("endpoint", u.Item.Options.Endpoint),
                    new KeyValuePair<string, object?>("upstream", u.Index))),
                "{request}", "Maximum number of concurrent requests that this process has found for an upstream.");
    }

    /// <summary>Creates the worker of an upstream, which claims as many tasks as its concurrency allows.</summary>
    private WorkerRuntime Create(Upstream upstream)
    {
        var reports = ActivatorUtilities.CreateInstance<EngineReports>(_services, "upstream", typeof(UpstreamService));
        var plan = new ClaimPlan(LookAgain, async max =>
            new ClaimRequest(await _queues.TargetsAsync(upstream.Options), upstream.BeginClaim(max), reports.Worker, EngineClaims.LeaseMs))
        {
            ReadyAsync = upstream.ReadyAsync, Claimed = upstream.EndClaim, Full = upstream.Fills, AbortsSoon = true,
        };
        var heartbeat = _services.GetRequiredService<LoopHeartbeats>().Of(typeof(UpstreamService));
        var transport = ActivatorUtilities.CreateInstance<EngineClaims>(_services, reports, plan, heartbeat);
        var handler = new UpstreamHandler(upstream, _services.GetRequiredService<UpstreamCalls>(), _drain);
        var limits = LimitsOf(upstream.Options.MaxConcurrency) with
        {
            Limit = upstream.Concurrency is { } limit ? () => limit.Current : null,
        };
        return new WorkerRuntime(limits, transport, handler, _time, _logger);
    }

    [LoggerMessage(LogLevel.Information, "Tasks of {Endpoint} are forwarded to {BaseUrl}, {MaxConcurrency} at once")]
    private partial void LogServes(string endpoint, string baseUrl, int maxConcurrency);
}
