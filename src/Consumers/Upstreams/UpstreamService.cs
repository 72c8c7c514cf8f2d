using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>
/// Forwards tasks to the configured upstreams. From the moment the process is to stop nothing is claimed; what is under way may
/// end within the grace period, and the rest is given back.
/// </summary>
internal sealed partial class UpstreamService : BackgroundService
{
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(10);

    private readonly UpstreamQueues _queues;
    private readonly OutcomeReporter _reporter;
    private readonly List<UpstreamRunner> _runners;
    private readonly TimeProvider _time;
    private readonly Drain _drain;
    private readonly CancellationTokenSource _giveUp = new();

    public UpstreamService(
        IServiceProvider services, IOptions<UpstreamList> list, UpstreamQueues queues, OutcomeReporter reporter, Drain drain,
        TimeProvider time, ILogger<UpstreamService> logger)
    {
        (_queues, _reporter, _drain, _time) = (queues, reporter, drain, time);
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
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, _drain.Begun);
        var reports = _reporter.RunAsync(_giveUp.Token);
        var runs = Task.WhenAll(_runners.Select(r => r.RunAsync(stopping.Token)));
        var heartbeats = HeartbeatsAsync(runs);
        await Task.Delay(Timeout.InfiniteTimeSpan, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await runs.WaitAsync(_drain.Over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
