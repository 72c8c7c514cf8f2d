using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>Reads the quotas of issued keys, and exchanges with the other processes what each of them uses.</summary>
internal sealed partial class QuotaService(
    TenantQuotas quotas, StreamQuota streams, RequestQuota requests, WaitingTaskQuota waiting, FileQuota files, ProcessPresence presence,
        ITenantUsageStore store,
    LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time, ILogger<QuotaService> logger) : BackgroundService
{
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(3);

    /// <summary>Between two rounds, however often streams are opened.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly SemaphoreSlim _wake = new(0); // not disposed: a stream may still be opened while the process stops
    private long? _readAt;
    private bool _isPublished;

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        if (store.IsShared)
            streams.OnOpen = Wake;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await PollAsync(stoppingToken);
                heartbeat.Beat();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                    LogFailed(fault);
            }

            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ((Task)_wake.WaitAsync(Round, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await LeaveAsync();
    }

    private void Wake()
    {
        if (_wake.CurrentCount == 0)
            _wake.Release();
    }

    private async Task PollAsync(CancellationToken cancellationToken)
    {
        if (_readAt is not { } at || time.GetElapsedTime(at) >= Round)
        {
            await quotas.ReadKeysAsync(cancellationToken);
            _readAt = time.GetTimestamp();
            waiting.Prune();
            requests.Prune();
            files.Prune();
        }

        // A process that uses nothing has nothing to say.
        if (!store.IsShared || !(streams.IsActive || requests.IsActive || _isPublished))
            return;
        var now = Micros.Now(time);
        var mine = new ProcessUsage(presence.Name, streams.Counts(), now, Since: now - StreamQuota.MaxAge);
        var others = await store.ExchangeAsync(mine, cancellationToken);
        presence.Processes = 1 + others.Count;
        streams.SetOthers(others.Streams);
        _isPublished = true;
    }

    /// <summary>A process that stops takes its counts with it.</summary>
    private async Task LeaveAsync()
    {
        if (!_isPublished)
            return;
        try
        {
            using var patience = new CancellationTokenSource(Round, time);
            await store.RemoveProcessAsync(presence.Name, patience.Token);
        }
#pragma warning disable CA1031 // the rows count for 15 seconds more
        catch (Exception fault)
#pragma warning restore CA1031
        {
            dependencies.TryHandle(fault);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Exchanging the use of quotas failed; trying again")]
    private partial void LogFailed(Exception fault);
}
