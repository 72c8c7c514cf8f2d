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
        $"""
        t.state = {TaskStates.Running} and (t.lease_until <> t.expires_at or (t.lease_until is null and t.expires_at is not null)
            or (t.lease_until is not null and t.expires_at is null))
          and (t.lease_until <= @now or t.lease_until > dateadd(millisecond, t.lease_ms, @now))
        """,
        "lease_until = dateadd(millisecond, lease_ms, @now)", $"t.state = {TaskStates.Running}", Time("@now"));

    private static readonly Statement FollowDuesSql = Changing(
        $"""
        t.state in {SqlStates.Waiting} and t.due_at > @now and case when t.started_at > t.created_at then t.started_at
            else t.created_at end > @now
          and t.due_at < dateadd(hour, 1, case when t.started_at > t.created_at then t.started_at else t.created_at end)
        """,
        "due_at = @now, dispatch_at = case when dispatch_at is null then null else @now end", $"t.state in {SqlStates.Waiting} and "
            + $"t.due_at > @now",
            Time("@now"));

    private static readonly Statement RedispatchSql = Changing(
        "t.dispatch_at is not null", "dispatch_at = case when due_at > @now then due_at else @now end", "t.dispatch_at is not null",
        Time("@now"));

    public async Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max) =>
        await QueryAsync(
            sweep switch { Sweep.Dispatch => SelectDispatchSql, Sweep.ExpiredLease => SelectExpiredLeasesSql, _ => SelectExpiredSql },
            r => StoredValue.Id(r, 0), now, max);

    public async Task<DateTime?> NextAsync(Sweep sweep) =>
        (await QueryAsync(sweep switch { Sweep.Dispatch => NextDispatchSql, Sweep.ExpiredLease => NextExpiredLeaseSql, _ =>
            NextExpiredSql }, r => ReadTime(r, 0))).FirstOrDefault();

    public async Task FollowClockAsync(DateTime now)
    {
        await RunAsync(FollowLeasesSql, now);
        await RunAsync(FollowDuesSql, now);
    }

    public Task RedispatchAllAsync(DateTime now) => RunAsync(RedispatchSql, now);

    private static Statement SelectOf(Sweep sweep)
    {
        var (column, condition) = SweepColumn(sweep);
        return new($"select top (@max) id from tasks {Skipping} where {condition} and {column} <= @now order by {column}", Time("@now"),
            Int("@max"));
    }

    private static Statement NextOf(Sweep sweep)
    {
        var (column, condition) = SweepColumn(sweep);
        return new($"select top (1) {column} from tasks where {condition} order by {column}");
    }

    /// <summary>The column that a sweep selects by, and the condition of its filtered index.</summary>
    private static (string Column, string Condition) SweepColumn(Sweep sweep) => sweep switch
    {
        Sweep.Dispatch => ("dispatch_at", "dispatch_at is not null"),
        Sweep.ExpiredLease => ("lease_until", $"state = {TaskStates.Running} and lease_until is not null"),
        _ => ("expires_at", $"state in {SqlStates.Waiting} and expires_at is not null"),
    };
}
