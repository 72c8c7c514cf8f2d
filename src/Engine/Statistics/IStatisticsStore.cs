using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Statistics;

/// <summary>Counts of queues over time. Every method may throw the database's exceptions.</summary>
public interface IStatisticsStore
{
    /// <summary>Adds counts of this process; of the samples of a minute the highest stays.</summary>
    Task AddAsync(IReadOnlyList<MinuteCounts> counts, CancellationToken cancellationToken);

    /// <summary>Sums the rows of a period that the caller may see, by queue and time.</summary>
    /// <param name="query">Selects the rows.</param>
    /// <param name="access">The caller's access.</param>
    /// <param name="max">Maximum number of rows.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<IReadOnlyList<StatisticsRow>> ReadAsync(StatisticsQuery query, Access access, int max, CancellationToken cancellationToken);

    /// <summary>The first time of rows of a step, not before a time; null if there are none.</summary>
    Task<DateTime?> FirstAsync(StatisticsStep step, DateTime from, CancellationToken cancellationToken);

    /// <summary>Until when the rows of a step have been computed; null if never.</summary>
    Task<DateTime?> ComputedUntilAsync(StatisticsStep step, CancellationToken cancellationToken);

    /// <summary>Records until when the rows of a step have been computed.</summary>
    Task SetComputedUntilAsync(StatisticsStep step, DateTime until, CancellationToken cancellationToken);

    /// <summary>Computes the rows of a longer period from those of the next shorter step. Idempotent.</summary>
    /// <param name="step">The step.</param>
    /// <param name="from">Start of the period.</param>
    /// <param name="to">Its end, exclusive.</param>
    /// <param name="maxSeries">Pairs of queue and owner that are kept apart, the busiest. The others of an owner are counted together, for
    /// a queue without a name.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    Task RollUpAsync(StatisticsStep step, DateTime from, DateTime to, int maxSeries, CancellationToken cancellationToken);

    /// <summary>Removes rows of a step before a time, oldest first, and only all rows of a period at once.</summary>
    /// <param name="step">The step.</param>
    /// <param name="before">The time.</param>
    /// <param name="max">About how many rows; the rows of the last period may exceed it.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>Number of rows removed.</returns>
    Task<int> RemoveAsync(StatisticsStep step, DateTime before, int max, CancellationToken cancellationToken);
}

/// <summary>Selects rows of statistics.</summary>
/// <param name="Step">Length of the periods.</param>
/// <param name="From">First start of a period.</param>
/// <param name="To">End, exclusive.</param>
/// <param name="Queues">Base names; empty for all.</param>
public sealed record StatisticsQuery(StatisticsStep Step, DateTime From, DateTime To, IReadOnlyList<string> Queues);
