using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Health;

/// <summary>Periodically probes the database, the broker, and the endpoints of this process.</summary>
internal sealed class HealthWatch(
    IDatabaseProbe database, IEnumerable<IDependencyProbe> others, OutageGracePeriod gracePeriod, LoopHeartbeats heartbeats,
    IOptions<HealthOptions> options, TimeProvider time) : BackgroundService
{
    /// <summary>A server that takes longer to answer a trivial request counts as unreachable.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private readonly TimeSpan _every = options.Value.CanaryEvery;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        var patience = _every < Longest ? _every : Longest;
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(_every, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stoppingToken.IsCancellationRequested)
                return;
            await Task.WhenAll([LookAsync(patience), .. others.Select(o => o.ProbeAsync(patience))]);
            heartbeat.Beat();
        }
    }

    private async Task LookAsync(TimeSpan patience)
    {
        if (!await database.AnswersAsync(patience))
            gracePeriod.DatabaseIsAway();
    }
}
