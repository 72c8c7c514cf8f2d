using TaskQueue.Engine.Health;

namespace TaskQueue.Engine.Audit;

/// <summary>Writes the records that <see cref="AuditLog"/> collects.</summary>
internal sealed class AuditWriter(AuditLog audit, PollingServices services) : PollingService(services)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    protected override TimeSpan AfterFault => Interval;

    /// <inheritdoc />
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TryAsync(() => audit.FlushAsync(isLast: true), CancellationToken.None);
    }

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        await audit.FlushAsync(isLast: false);
        return Interval;
    }
}
