using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string FollowLeasesSql =
        """
        update running set lease_until = @now + lease_ms * 1000
        where lease_until is not expires_at and (lease_until <= @now or lease_until > @now + lease_ms * 1000)
        """;

    private const string FollowDuesSql =
        """
        update ready set due_at = n.due_at, dispatch_at = case when dispatch_at is not null then n.due_at end,
            started_at = min(started_at, @now)
        from (
            select id, case when started_at > @now then @now + max(due_at - started_at, 0) else @now end as due_at
            from ready where due_at > @now and (started_at > @now or due_at <= created_at)) as n
        where ready.id = n.id
        """;

    private const string RedispatchSql = "update ready set dispatch_at = max(due_at, @now) where dispatch_at is not null";

    private static readonly Dictionary<Sweep, string> SelectSql = Enum.GetValues<Sweep>().ToDictionary(sweep => sweep, sweep =>
    {
        var (table, column) = SweepColumn(sweep);
        return $"select id from {table} where {column} is not null and {column} <= @now order by {column} limit @max";
    });

    private static readonly Dictionary<Sweep, string> NextSql = Enum.GetValues<Sweep>().ToDictionary(sweep => sweep, sweep =>
    {
        var (table, column) = SweepColumn(sweep);
        return $"select {column} from {table} where {column} is not null and {column} <= @before order by {column} limit 1";
    });

    public Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max) =>
        UseAsync<IReadOnlyList<Guid>>(
            () => Query(SelectSql[sweep], r => r.GetGuid(0), ("@now", Micros.FromTime(now)), ("@max", max)), write: false);

    public Task<DateTime?> NextAsync(Sweep sweep, DateTime now, TimeSpan ahead) =>
        UseAsync(
            () => Query(NextSql[sweep], r => ReadTime(r, 0), ("@before", Micros.FromTime(now + ahead))).SingleOrDefault(), write: false);

    public Task FollowClockAsync(DateTime now) =>
        UseAsync(
            () => Execute(FollowLeasesSql, ("@now", Micros.FromTime(now))) + Execute(FollowDuesSql, ("@now", Micros.FromTime(now))),
            write: true);

    public Task RedispatchAllAsync(DateTime now) =>
        UseAsync(() => Execute(RedispatchSql, ("@now", Micros.FromTime(now))), write: true);

    /// <summary>The column that a sweep selects by.</summary>
    private static (string Table, string Column) SweepColumn(Sweep sweep) => sweep switch
    {
        Sweep.Dispatch => (TaskTables.Ready, "dispatch_at"),
        Sweep.ExpiredLease => (TaskTables.Running, "lease_until"),
        _ => (TaskTables.Ready, "expires_at"),
    };
}
