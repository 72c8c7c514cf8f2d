using System.Text.Json.Nodes;
using TaskQueue.Engine;
using TaskQueue.Engine.Statistics;
using TaskQueue.Storage.Statistics;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore : IStatisticsWrites
{
    private static readonly string AddCountsSql =
        $"""
        insert into queue_statistics (step, at, queue, owner, waiting, oldest_ms, {string.Join(", ", StatisticsCounts.Columns)})
        select 0, {string.Join(", ", Enumerable.Range(0, StatisticsCounts.Length + 5).Select(n => $"r.value ->> {n}"))}
        from json_each(@rows) as r where true
        on conflict (step, at, queue, owner) do update set
            waiting = max(excluded.waiting, queue_statistics.waiting),
            oldest_ms = max(coalesce(excluded.oldest_ms, queue_statistics.oldest_ms),
                coalesce(queue_statistics.oldest_ms, excluded.oldest_ms)),
            {string.Join(", ", StatisticsCounts.Columns.Select(c => $"{c} = queue_statistics.{c} + excluded.{c}"))}
        """;

    public Task AddCountsAsync(IReadOnlyList<MinuteCounts> counts, CancellationToken cancellationToken)
    {
        var rows = new JsonArray([.. counts.Select(c => new JsonArray(
            [Micros.FromTime(c.Minute), c.Queue, c.Owner, c.Waiting, c.OldestMs, .. c.Counts.Select(n => (JsonNode?)n)]))]);
        return UseAsync(() => Execute(AddCountsSql, ("@rows", rows.ToJsonString())), write: true);
    }
}
