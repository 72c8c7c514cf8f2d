using Microsoft.Extensions.Options;
using TaskQueue.Engine.Health;

namespace TaskQueue.Engine.Failures;

/// <summary>Writes what <see cref="FailureCounts"/> collects, once a second; a killed process loses that second.</summary>
internal sealed class FailureWriter(FailureCounts counts, IFailureCounter store, IOptions<FailureOptions> options, PollingServices services)
    : PollingService(services)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    protected override TimeSpan AfterFault => Interval;

    /// <inheritdoc />
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TryAsync(() => FlushAsync(CancellationToken.None), CancellationToken.None);
    }

    /// <summary>Writes what is counted so far.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        var groups = counts.Take();
        if (groups.Count == 0)
            return;
        try
        {
            await store.AddAsync(groups, options.Value, cancellationToken);
        }
        catch
        {
            counts.PutBack(groups);
            throw;
        }
    }

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken);
        return Interval;
    }
}
