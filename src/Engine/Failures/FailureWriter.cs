using Microsoft.Extensions.Options;
using TaskQueue.Engine.Health;

namespace TaskQueue.Engine.Failures;

/// <summary>Writes what <see cref="FailureCounts"/> collects, once a second; a killed process loses that second.</summary>
internal sealed class FailureWriter(FailureCounts counts, IFailureCounter store, IOptions<FailureOptions> options, PollingServices services)
    : PollingService(services)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1), Patience = TimeSpan.FromSeconds(3);

    protected override TimeSpan AfterFault => Interval;

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

    /// <inheritdoc />
    protected override async Task EndAsync()
    {
        using var patience = new CancellationTokenSource(Patience, Time);
        await TryAsync(() => FlushAsync(patience.Token), patience.Token);
    }
}
