using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private static readonly string FollowLeasesSql =
        $"""
        update tasks set lease_until = @0 + lease_ms * 1000
        where state = {TaskStates.Running} and lease_until is not expires_at and (lease_until <= @0 or lease_until > @0 + lease_ms * 1000)
        """;

    private const string FollowDuesSql =
        $"""
        update tasks set due_at = @0, dispatch_at = case when dispatch_at is null then null else @0 end
        where state in {SqlStates.Waiting} and due_at > @0 and max(created_at, coalesce(started_at, 0)) > @0
          and due_at < max(created_at, coalesce(started_at, 0)) + 3600000000
        """;

    private const string RedispatchSql = "update tasks set dispatch_at = max(due_at, @0) where dispatch_at is not null";

    public Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max)
    {
        var (column, condition) = SweepColumn(sweep);
        return UseAsync<IReadOnlyList<Guid>>(
            () => Query($"select id from tasks where {condition} and {column} <= @0 order by {column} limit @1", r =>
                r.GetGuid(0), Micros.FromTime(now), max),
            write: false);
    }

    public Task<DateTime?> NextAsync(Sweep sweep)
    {
        var (column, condition) = SweepColumn(sweep);
        return UseAsync(
            () => ToTime(Query($"select {column} from tasks where {condition} order by {column} limit 1", r => (long?)r.GetInt64(0))
                .SingleOrDefault()),
            write: false);
    }

    public Task FollowClockAsync(DateTime now) =>
        UseAsync(() =>
        {
            Execute(FollowLeasesSql, Micros.FromTime(now));
            return Execute(FollowDuesSql, Micros.FromTime(now));
        }, write: true);

    public Task RedispatchAllAsync(DateTime now) =>
        UseAsync(() => Execute(RedispatchSql, Micros.FromTime(now)), write: true);

    /// <summary>The column that a sweep selects by, and the condition of its partial index.</summary>
    private static (string Column, string Condition) SweepColumn(Sweep sweep) => sweep switch
    {
        Sweep.Dispatch => ("dispatch_at", "dispatch_at is not null"),
        Sweep.ExpiredLease => ("lease_until", $"state = {TaskStates.Running} and lease_until is not null"),
        _ => ("expires_at", $"state in {SqlStates.Waiting} and expires_at is not null"),
    };
}
