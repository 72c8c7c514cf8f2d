using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>
/// Forwards tasks to the configured upstreams. From the moment the process is to stop nothing is claimed; what is under way may
/// end until shortly before the host loses patience, and the rest is given back.
/// </summary>
internal sealed partial class UpstreamService : BackgroundService
{
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(10);

    /// <summary>To give the rest back, and for the services that stop afterwards.</summary>
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(5);

    private readonly UpstreamQueues _queues;
    private readonly OutcomeReporter _reporter;
    private readonly List<UpstreamRunner> _runners;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stopping;
    private readonly TimeSpan _grace;
    private readonly CancellationTokenSource _giveUp = new();

    public UpstreamService(
        IServiceProvider services, IOptions<UpstreamList> list, UpstreamQueues queues, OutcomeReporter reporter, IHostApplicationLifetime lifetime,
        IOptions<HostOptions> host, TimeProvider time, ILogger<UpstreamService> logger)
    {
        (_queues, _reporter, _time) = (queues, reporter, time);
        _stopping = lifetime.ApplicationStopping;
        _grace = host.Value.ShutdownTimeout > 2 * Reserve ? host.Value.ShutdownTimeout - Reserve : host.Value.ShutdownTimeout / 2;
        var upstreams = list.Value.Upstreams;
        _runners = [.. upstreams.Select(u => ActivatorUtilities.CreateInstance<UpstreamRunner>(services, new Upstream(u, upstreams, time)))];
        foreach (var upstream in upstreams)
            LogServes(logger, upstream.Endpoint, upstream.BaseUrl, upstream.MaxConcurrency);
    }

    /// <summary>Tasks under way at all upstreams.</summary>
    public int Running => _runners.Sum(r => r.Running);

    public override void Dispose()
    {
        _runners.ForEach(r => r.Dispose());
        _giveUp.Dispose();
        base.Dispose();
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await _queues.RegisterAsync();
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await using var end = cancellationToken.UnsafeRegister(g => ((CancellationTokenSource)g!).Cancel(), _giveUp);
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, _stopping);
        var reports = _reporter.RunAsync(_giveUp.Token);
        var runs = Task.WhenAll(_runners.Select(r => r.RunAsync(stopping.Token)));
        var heartbeats = HeartbeatsAsync(runs);
        await Task.Delay(Timeout.InfiniteTimeSpan, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (await Task.WhenAny(runs, Task.Delay(_grace, _time, CancellationToken.None)) != runs)
            _runners.ForEach(r => r.GiveBack());
        await runs;
        await heartbeats;
        _reporter.Complete();
        await reports;
    }

    private async Task HeartbeatsAsync(Task runs)
    {
        while (await Task.WhenAny(runs, Task.Delay(HeartbeatEvery, _time, CancellationToken.None)) != runs)
            await Task.WhenAll(_runners.Select(r => r.RenewAsync()));
    }

    [LoggerMessage(LogLevel.Information, "Tasks of {Endpoint} are forwarded to {BaseUrl}, {MaxConcurrency} at once")]
    private static partial void LogServes(ILogger logger, string endpoint, string baseUrl, int maxConcurrency);
}
