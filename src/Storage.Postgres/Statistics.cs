using TaskQueue.Engine.Statistics;
using TaskQueue.Storage.Statistics;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore : IStatisticsWrites
{
    private static readonly string AddCountsSql =
        $"""
        insert into queue_statistics as s (step, at, queue, owner, waiting, oldest_ms, {string.Join(", ", StatisticsCounts.Columns)})
        select 0, r.* from unnest({string.Join(", ", Enumerable.Range(1, StatisticsCounts.Length + 5).Select(n => $"${n}"))}) as
            r(at, queue, owner, waiting, oldest_ms, {string.Join(", ", StatisticsCounts.Columns)})
        order by r.at, r.queue, r.owner
        on conflict (step, at, queue, owner) do update set
            waiting = greatest(excluded.waiting, s.waiting), oldest_ms = greatest(excluded.oldest_ms, s.oldest_ms),
            {string.Join(", ", StatisticsCounts.Columns.Select(c => $"{c} = s.{c} + excluded.{c}"))}
        """;

    public async Task AddCountsAsync(IReadOnlyList<MinuteCounts> counts, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand(AddCountsSql);
        Add(c => c.Minute);
        Add(c => c.Queue);
        Add(c => c.Owner);
        Add(c => c.Waiting);
        Add(c => c.OldestMs);
        for (var i = 0; i < StatisticsCounts.Length; i++)
        {
            var place = i;
            Add(c => c.Counts[place]);
        }

        await command.ExecuteNonQueryAsync(cancellationToken);

        void Add<T>(Func<MinuteCounts, T> value) => command.Parameters.Add(Value<T[]>([.. counts.Select(value)]));
    }
}
