using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;

namespace TaskQueue.Engine.Quotas;

/// <summary>Reads the quotas of issued keys, and exchanges usage with the other processes.</summary>
internal sealed class QuotaService(
    TenantQuotas quotas, StreamQuota streams, RequestQuota requests, WaitingTaskQuota waiting, FileQuota files, ProcessPresence presence,
    ITenantUsageStore store, PollingServices services) : PollingService(services)
{
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(3);

    /// <summary>Minimum time between two rounds, however often streams are opened.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly Signal _wake = new(); // not disposed: a stream may be opened while the process stops
    private long? _readAt;
    private bool _isPublished;

    /// <inheritdoc />
    protected override TimeSpan AfterFault => Round;

    /// <inheritdoc />
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        if (store.IsShared)
            streams.OnOpen = _wake.Set;
        return base.StartAsync(cancellationToken);
    }

    /// <inheritdoc />
    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        if (_readAt is not { } at || Time.GetElapsedTime(at) >= Round)
        {
            await quotas.ReadKeysAsync(cancellationToken);
            _readAt = Time.GetTimestamp();
            waiting.Prune();
            requests.Prune();
            files.Prune();
        }

        // A process without usage publishes nothing.
        if (!store.IsShared || !(streams.IsActive || requests.IsActive || _isPublished))
            return Round;
        var now = Micros.Now(Time);
        var mine = new ProcessUsage(presence.Name, streams.Counts(), now, Since: now - StreamQuota.MaxAge);
        var others = await store.ExchangeAsync(mine, cancellationToken);
        presence.Processes = 1 + others.Count;
        streams.SetOthers(others.Streams);
        _isPublished = true;
        return Round;
    }

    /// <inheritdoc />
    protected override async Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        await Task.Delay(Pause, Time, cancellationToken);
        await _wake.WaitAsync(wait, cancellationToken);
    }

    /// <summary>Removes the published usage of a process that stops.</summary>
    protected override async Task EndAsync()
    {
        if (!_isPublished)
            return;
        using var patience = new CancellationTokenSource(Round, Time);
        await TryAsync(() => store.RemoveProcessAsync(presence.Name, patience.Token), patience.Token); // else they expire after 15 seconds
    }
}
