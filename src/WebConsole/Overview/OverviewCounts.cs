using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Workers;

namespace TaskQueue.WebConsole.Overview;

/// <summary>Numbers of the overview that change slowly; not for concurrent callers.</summary>
internal sealed class OverviewCounts(IWorkerStore workers, IFailureStore failures, IStatisticsStore statistics, TimeProvider time)
{
    private const int MaxRows = 10_000;

    private IReadOnlyDictionary<string, long> _failed = new Dictionary<string, long>(StringComparer.Ordinal);

    /// <summary>Workers that vanished and are still listed; null until the first read.</summary>
    public long? LostWorkers { get; private set; }

    /// <summary>Open groups of failures; null until the first read.</summary>
    public long? OpenFailures { get; private set; }

    /// <summary>Tasks of a queue that failed for good in the last whole minute; null until the first read.</summary>
    public long? FailedIn(string queue) => LostWorkers is null ? null : _failed.GetValueOrDefault(queue);

    /// <summary>Reads them all.</summary>
    public async Task ReadAsync(CancellationToken cancellationToken)
    {
        var now = Micros.Now(time);
        var minute = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMinute));
        var rows = await statistics.ReadAsync(
            new StatisticsQuery(StatisticsStep.Minute, minute.AddMinutes(-1), minute, []), Access.All, MaxRows, cancellationToken);
        _failed = rows.GroupBy(r => r.Queue, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Sum(r => r.Failed), StringComparer.Ordinal);
        OpenFailures = await failures.CountAsync(FailureState.Open, cancellationToken);
        LostWorkers = (await workers.CountAsync(cancellationToken)).GetValueOrDefault(WorkerState.Lost);
    }
}
