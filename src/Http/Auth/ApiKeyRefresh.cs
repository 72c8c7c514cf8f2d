using TaskQueue.Engine.Health;

namespace TaskQueue.Http.Auth;

/// <summary>Reloads the issued keys every second, so that keys revoked by another process are refused, and writes their last use.</summary>
internal sealed class ApiKeyRefresh(IssuedKeys keys, PollingServices services) : PollingService(services)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BetweenWrites = TimeSpan.FromSeconds(5);

    private long? _written;

    protected override TimeSpan AfterFault => Interval;

    /// <inheritdoc />
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TryAsync(() => keys.WriteLastUseAsync(cancellationToken), cancellationToken);
    }

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        await keys.RefreshAsync(cancellationToken);
        _written ??= Time.GetTimestamp();
        if (Time.GetElapsedTime(_written.Value) < BetweenWrites)
            return Interval;
        _written = Time.GetTimestamp();
        await keys.WriteLastUseAsync(cancellationToken);
        return Interval;
    }
}
