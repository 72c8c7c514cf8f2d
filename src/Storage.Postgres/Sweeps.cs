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

    public async Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max)
    {
        var (table, column) = SweepColumn(sweep);
        await using var command = source.CreateCommand(
            $"select id from {table} where {column} is not null and {column} <= $1 order by {column} limit $2 for update skip locked");
        command.Parameters.Add(Value(now));
        command.Parameters.Add(Value(max));
        await using var reader = await command.ExecuteReaderAsync();
        var ids = new List<Guid>();
        while (await reader.ReadAsync())
            ids.Add(reader.GetGuid(0));
        return ids;
    }

    public Task<DateTime?> NextAsync(Sweep sweep)
    {
        var (table, column) = SweepColumn(sweep);
        return ReadTimeAsync($"select {column} from {table} where {column} is not null order by {column} limit 1");
    }

    public async Task FollowClockAsync(DateTime now)
    {
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
