using TaskQueue.Engine.Statistics;

namespace TaskQueue.Storage.Statistics;

/// <summary>The statement that adds counts, implemented by each provider.</summary>
public interface IStatisticsWrites
{
    /// <summary>See <see cref="IStatisticsStore.AddAsync"/>.</summary>
    Task AddCountsAsync(IReadOnlyList<MinuteCounts> counts, CancellationToken cancellationToken);
}
