using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Statistics;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Statistics;

/// <summary>GET /statistics.</summary>
/// <param name="From">Start of the first period.</param>
/// <param name="To">End, exclusive.</param>
/// <param name="Step">Length of a period: <c>minute</c>, <c>hour</c> or <c>day</c>.</param>
/// <param name="Queues">By name.</param>
internal sealed record StatisticsAnswer(DateTime From, DateTime To, string Step, IReadOnlyList<QueueStatistics> Queues);

/// <param name="Queue">Base name.</param>
/// <param name="Points">In order of time; periods in which nothing happened and nothing waited are omitted.</param>
internal sealed record QueueStatistics(string Queue, IReadOnlyList<StatisticsPoint> Points);

/// <summary>What happened in a period.</summary>
/// <param name="At">Its start.</param>
/// <param name="Submitted">Tasks accepted, or retried by hand.</param>
/// <param name="Started">Attempts started.</param>
/// <param name="Completed">Tasks completed.</param>
/// <param name="Failed">Tasks failed for good.</param>
/// <param name="Retried">Attempts that failed and are followed by another.</param>
/// <param name="Cancelled">Tasks cancelled.</param>
/// <param name="Expired">Tasks that did not start in time.</param>
/// <param name="Waiting">Waiting tasks, the highest of the samples taken once a minute; null for a caller that sees only its own
/// tasks of the queue.</param>
/// <param name="OldestAgeSeconds">For how long the oldest due task had waited, the highest of the samples; null likewise, or if none was
/// due.</param>
/// <param name="RunSeconds">How long attempts ran.</param>
internal sealed record StatisticsPoint(
    DateTime At, long Submitted, long Started, long Completed, long Failed, long Retried, long Cancelled, long Expired, long? Waiting,
    double? OldestAgeSeconds, RunSeconds RunSeconds)
{
    public static StatisticsPoint Of(StatisticsRow row, bool seesWhole) => new(
        row.At, row.Submitted, row.Started, row.Completed, row.Failed, row.Retried, row.Cancelled, row.Expired,
        seesWhole ? row.Waiting : null, seesWhole ? row.OldestMs / 1000.0 : null, RunSeconds.Of(row));
}

/// <summary>A histogram.</summary>
/// <param name="Count">Number of attempts.</param>
/// <param name="Sum">Their total in seconds.</param>
/// <param name="Buckets">Cumulative, as in Prometheus; a bound below which there are no more than below the one before it is
/// omitted.</param>
internal sealed record RunSeconds(long Count, double Sum, IReadOnlyList<RunBucket> Buckets)
{
    public static RunSeconds Of(StatisticsRow row)
    {
        var (counts, buckets, total) = (row.ToCounts(), new List<RunBucket>(), 0L);
        for (var i = 0; i < RunTimes.Buckets - 1; i++) // the last one has no bound: its end is the count
        {
            if (counts[StatisticsCounts.Buckets + i] is > 0 and var count)
                buckets.Add(new RunBucket(RunTimes.UpperBound(i), total += count));
        }

        return new(row.Runs, row.RunMicros / 1e6, buckets);
    }
}

/// <param name="Le">Upper bound in seconds, inclusive: 0.005 and its doubles.</param>
/// <param name="Count">Number of attempts that ran at most this long.</param>
internal sealed record RunBucket(double Le, long Count);

[JsonSerializable(typeof(StatisticsAnswer))]
internal sealed partial class StatisticsJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static StatisticsJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
