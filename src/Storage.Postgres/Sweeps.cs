using System.Diagnostics;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private const string FollowLeasesSql =
        """
        update running set lease_until = $1 + lease_ms * interval '1 millisecond'
        where id = any(array(
            select id from running where lease_until is distinct from expires_at
              and (lease_until <= $1 or lease_until > $1 + lease_ms * interval '1 millisecond')
            order by id for update))
        """;

    private const string FollowDuesSql =
        """
        update ready r set due_at = n.due_at, dispatch_at = case when r.dispatch_at is not null then n.due_at end,
            started_at = case when r.started_at > $1 then $1 else r.started_at end
        from (
            select id, case when started_at > $1 then $1 + greatest(due_at - started_at, interval '0') else $1 end as due_at
            from ready where due_at > $1 and (started_at > $1 or due_at <= created_at) order by id for update) as n
        where r.id = n.id
        """;

    private const string RedispatchSql = "update ready set dispatch_at = greatest(due_at, $1) where dispatch_at is not null";

    private readonly SweepMarks _sweepMarks = new();

    public async Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max)
    {
        var (table, column) = SweepColumn(sweep);
        await using var command = source.CreateCommand(
            $"""
            select id from {table} where {column} is not null and {column} >= $3 and {column} <= $1
            order by {column} limit $2 for update skip locked
            """);
        command.Parameters.Add(Value(now));
        command.Parameters.Add(Value(max));
        command.Parameters.Add(Value(_sweepMarks.Of(sweep)));
        await using var reader = await command.ExecuteReaderAsync();
        var ids = new List<Guid>();
        while (await reader.ReadAsync())
            ids.Add(reader.GetGuid(0));
        return ids;
    }

    public async Task<DateTime?> NextAsync(Sweep sweep, DateTime now, TimeSpan ahead)
    {
        var (table, column) = SweepColumn(sweep);
        var (look, started) = (_sweepMarks.Begin(sweep, now), Stopwatch.GetTimestamp());
        var next = await ReadTimeAsync(
            $"select {column} from {table} where {column} is not null and {column} >= $1 and {column} <= $2 order by {column} limit 1",
            Value(look.From), Value(now + ahead));
        _sweepMarks.End(sweep, look, now, next ?? now + ahead, Stopwatch.GetElapsedTime(started));
        return next;
    }

    public async Task FollowClockAsync(DateTime now)
    {
        _sweepMarks.Forget();
        await RunAsync(FollowLeasesSql, () => [Value(now)]);
        await RunAsync(FollowDuesSql, () => [Value(now)]);
    }

    public Task RedispatchAllAsync(DateTime now) => RunAsync(RedispatchSql, () => [Value(now)]);

    /// <summary>The column that a sweep selects by.</summary>
    private static (string Table, string Column) SweepColumn(Sweep sweep) => sweep switch
    {
        Sweep.Dispatch => (TaskTables.Ready, "dispatch_at"),
        Sweep.ExpiredLease => (TaskTables.Running, "lease_until"),
        _ => (TaskTables.Ready, "expires_at"),
    };
}
