using TaskQueue.Engine.Health;

namespace TaskQueue.Engine.Statistics;

/// <summary>Writes the counts of this process.</summary>
internal sealed class StatisticsFlush(StatisticsCounter counter, IStatisticsStore store, PollingServices services)
    : PollingService(services)
{
    private const int MaxRows = 500;

    private static readonly TimeSpan Round = TimeSpan.FromSeconds(1.5), Patience = TimeSpan.FromSeconds(3);

    /// <inheritdoc />
    protected override TimeSpan AfterFault => Round;

    /// <inheritdoc />
    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        await WriteAsync(cancellationToken);
        return Round;
    }

    /// <inheritdoc />
    protected override async Task EndAsync()
    {
        using var patience = new CancellationTokenSource(Patience, Time);
        await TryAsync(() => WriteAsync(patience.Token), patience.Token);
    }

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        var chunks = counter.Take().Chunk(MaxRows).ToList();
        for (var i = 0; i < chunks.Count; i++)
        {
            try
            {
                await store.AddAsync(chunks[i], cancellationToken);
            }
            catch
            {
                counter.PutBack(chunks.Skip(i).SelectMany(c => c));
                throw;
            }
        }
    }
}
