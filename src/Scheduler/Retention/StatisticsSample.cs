using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Statistics;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Records what waits in each queue.</summary>
internal sealed class StatisticsSample(
    IBacklogStore backlog, IStatisticsStore store, IOptions<StatisticsOptions> options, TimeProvider time) : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        if (!options.Value.Enabled)
            return 0;
        var now = Micros.Now(time);
        var minute = new DateTime(now.Ticks - (now.Ticks % TimeSpan.TicksPerMinute), DateTimeKind.Utc);
        var tiers = (await backlog.ReadBacklogAsync(now, [])).Tiers;
        progress();
        var samples = tiers.GroupBy(t => t.At.Queue, StringComparer.Ordinal)
            .Select(q => (Queue: q.Key, Waiting: q.Sum(t => t.Due + t.Later + t.Blocked), Oldest: q.Min(t => t.OldestDueAt)))
            .Where(q => q.Waiting > 0).OrderByDescending(q => q.Waiting).Take(options.Value.MaxSeries)
            .Select(q => MinuteCounts.Sample(q.Queue, minute, q.Waiting,
                q.Oldest is { } oldest ? Math.Max(0, (long)(now - oldest).TotalMilliseconds) : null));
        foreach (var some in samples.Chunk(RemoveInSteps.Max))
        {
            await store.AddAsync(some, cancellationToken);
            progress();
        }

        return 0;
    }
}
