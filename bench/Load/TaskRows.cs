using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>
/// Rows of table <c>tasks</c>, written by SQL as the engine would have: by the million it is quicker. Numbers make the
/// ids, so those of one database must not meet.
/// </summary>
internal static class TaskRows
{
    private const int Chunk = 1_000_000;

    /// <summary>Time-ordered ids of version 4.</summary>
    private const string Id = "(lpad(to_hex(1700000000000 + n / 10), 12, '0') || '40008000' || lpad(to_hex(n), 12, '0'))::uuid";

    private const string Created = "now() - interval '1 day' + n * interval '1 microsecond'";

    private static readonly string Payload = $$"""'{{Bodies.Plain[..^1]}},"id":"' || {{Id}} || '","created_at":1700000000}'""";

    /// <summary>Tasks that wait in the pull queue, due for long.</summary>
    public static Task InsertWaitingAsync(BenchDatabase database, long first, int count) => InsertAsync(
        database, first, count, "id, state, queue, level, priority, push, name, payload, attempt, attempts_left, max_attempts, lease_ms, created_at, due_at",
        $"{Id}, 3, '{Bodies.PullQueue}', 0, 2, false, 'noop', {Payload}, 0, 4, 4, 0, {Created}, {Created}");

    /// <summary>Tasks that wait at level 1 of queues, due for long.</summary>
    /// <param name="database">Where.</param>
    /// <param name="first">Number of the first.</param>
    /// <param name="count">How many.</param>
    /// <param name="n">SQL for the name of the queue of number n.</param>
    public static Task InsertWaitingAsync(BenchDatabase database, long first, int count, string n) => InsertAsync(
        database, first, count, "id, state, queue, level, priority, push, name, payload, attempt, attempts_left, max_attempts, lease_ms, created_at, due_at",
        $"{Id}, 3, {n}, 1, 2, false, 'noop', {Payload}, 0, 1, 1, 0, {Created}, {Created}");

    /// <summary>Completed tasks of the pull queue.</summary>
    public static Task InsertFinishedAsync(BenchDatabase database, long first, int count) => InsertAsync(
        database, first, count,
        "id, state, queue, level, priority, push, name, payload, result, attempt, attempts_left, max_attempts, lease_ms, worker, created_at, due_at, started_at, finished_at, delete_at",
        $$"""
        {{Id}}, 5, '{{Bodies.PullQueue}}', 0, 2, false, 'noop', {{Payload}}, '{"output":"processed"}', 1, 3, 4, 15000, 'bench',
        {{Created}}, {{Created}}, {{Created}}, {{Created}}, now() + interval '7 days'
        """);

    private static async Task InsertAsync(BenchDatabase database, long first, int count, string columns, string values)
    {
        for (var end = first + count; first < end; first += Chunk)
            await database.ExecuteAsync($"insert into tasks ({columns}) select {values} from generate_series({first}, {Math.Min(first + Chunk, end) - 1}) as n");
    }
}
