using System.Diagnostics;
using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Scenarios;

/// <summary>How fast the one outbox dispatcher publishes a backlog of lifecycle events, and what that costs it.</summary>
internal static class DispatchScenario
{
    /// <summary>Events of a row of the outbox, as a busy server writes them.</summary>
    private const int RowEvents = 100;

    private const string Unpublished =
        "select count(*) from outbox o join outbox_partitions s on s.id = o.partition_id where o.id > s.published_to";

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        var processor = new List<double>();
        var rates = await run.SampleAsync(async () =>
        {
            await database.ExecuteAsync(
                $"""
                insert into outbox (partition_id, at, type, queue, tier, dispatch, frees, ids, attempts)
                select row % 64, now(), 1, 'events', 0, false, false, array_agg(gen_random_uuid()), array_agg(0)
                from generate_series(1, {run.Sizes.Dispatched / RowEvents}) as row, generate_series(1, {RowEvents}) as place group by row
                """);
            using var server = await run.StartServerAsync(database);
            var (since, begun) = (Stopwatch.GetTimestamp(), server.ReadCpuTime());
            var left = await database.ReadAsync(Unpublished);
            await database.WaitUntilAsync(Unpublished, 0, "all is published");
            var events = left * RowEvents;
            processor.Add((server.ReadCpuTime() - begun).TotalMicroseconds / events);
            server.DemandNoTrouble();
            return events / Stopwatch.GetElapsedTime(since).TotalSeconds;
        });
        return
        [
            new("outbox dispatcher: backlog of lifecycle events, no subscriber", new Series(rates, Unit.EventsPerSecond)),
            new("CPU of the process for it", new Series(processor, Unit.MicrosecondsPerEvent)),
        ];
    }
}
