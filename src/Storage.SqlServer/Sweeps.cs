using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    private static readonly Statement SelectDispatchSql = SelectOf(Sweep.Dispatch), SelectExpiredLeasesSql = SelectOf(Sweep.ExpiredLease),
    SelectExpiredSql = SelectOf(Sweep.Expired);

    private static readonly Statement NextDispatchSql = NextOf(Sweep.Dispatch), NextExpiredLeaseSql = NextOf(Sweep.ExpiredLease),
    NextExpiredSql = NextOf(Sweep.Expired);

    private static readonly Statement FollowLeasesSql = Changing(
        TaskTable.Running,
        """
        select t.id from running t
        where (t.lease_until <> t.expires_at or (t.lease_until is null and t.expires_at is not null)
            or (t.lease_until is not null and t.expires_at is null))
          and (t.lease_until <= @now or t.lease_until > dateadd(millisecond, t.lease_ms, @now))
        """,
        still: null, "lease_until = dateadd(millisecond, lease_ms, @now)", Time("@now"));

    private const string FollowedDue =
        """
        case when started_at > @now and due_at > started_at then dateadd(microsecond,
            datediff_big(microsecond, started_at, due_at) % 1000000,
            dateadd(second, datediff_big(microsecond, started_at, due_at) / 1000000, @now)) else @now end
        """;

    private static readonly Statement FollowDuesSql = Changing(
        TaskTable.Ready,
        """
        select t.id from ready t
        where t.due_at > @now and (t.started_at > @now or t.due_at <= t.created_at)
        """,
        "t.due_at > @now",
        $"""
        due_at = {FollowedDue}, dispatch_at = case when dispatch_at is not null then {FollowedDue} end,
        started_at = case when started_at > @now then @now else started_at end
        """,
        Time("@now"));

    private static readonly Statement RedispatchSql = Changing(
        TaskTable.Ready, "select t.id from ready t where t.dispatch_at is not null", "t.dispatch_at is not null",
        "dispatch_at = case when due_at > @now then due_at else @now end", Time("@now"));

    public async Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max) =>
        await QueryAsync(
            sweep switch { Sweep.Dispatch => SelectDispatchSql, Sweep.ExpiredLease => SelectExpiredLeasesSql, _ => SelectExpiredSql },
            r => StoredValue.Id(r, 0), now, max);

    public async Task<DateTime?> NextAsync(Sweep sweep, DateTime now, TimeSpan ahead) =>
        (await QueryAsync(
            sweep switch { Sweep.Dispatch => NextDispatchSql, Sweep.ExpiredLease => NextExpiredLeaseSql, _ => NextExpiredSql },
            r => ReadTime(r, 0), now + ahead)).FirstOrDefault();

    public async Task FollowClockAsync(DateTime now)
    {
        await RunAsync(FollowLeasesSql, now);
        await RunAsync(FollowDuesSql, now);
    }

    public Task RedispatchAllAsync(DateTime now) => RunAsync(RedispatchSql, now);

    private static Statement SelectOf(Sweep sweep)
    {
        var (table, column) = SweepColumn(sweep);
        return new($"select top (@max) id from {table} {Skipping} where {column} is not null and {column} <= @now order by {column}",
            Time("@now"), Int("@max"));
    }

    private static Statement NextOf(Sweep sweep)
    {
        var (table, column) = SweepColumn(sweep);
        return new($"select top (1) {column} from {table} where {column} is not null and {column} <= @before order by {column}",
            Time("@before"));
    }

    /// <summary>The table and column that a sweep selects by.</summary>
    private static (string Table, string Column) SweepColumn(Sweep sweep) => sweep switch
    {
        Sweep.Dispatch => (TaskTables.Ready, "dispatch_at"),
        Sweep.ExpiredLease => (TaskTables.Running, "lease_until"),
        _ => (TaskTables.Ready, "expires_at"),
    };
}
