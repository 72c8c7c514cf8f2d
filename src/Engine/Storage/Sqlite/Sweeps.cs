using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    public Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max)
    {
        var (column, condition) = SweepColumn(sweep);
        return UseAsync<IReadOnlyList<Guid>>(
            () => Query($"select id from tasks where {condition} and {column} <= @0 order by {column} limit @1", r => r.GetGuid(0), Micros.FromTime(now), max),
            write: false);
    }

    public Task<DateTime?> NextAsync(Sweep sweep)
    {
        var (column, condition) = SweepColumn(sweep);
        return UseAsync(
            () => ToTime(Query($"select {column} from tasks where {condition} order by {column} limit 1", r => (long?)r.GetInt64(0)).SingleOrDefault()),
            write: false);
    }

    public Task RedispatchAllAsync(DateTime now) =>
        UseAsync(() => Execute("update tasks set dispatch_at = max(due_at, @0) where dispatch_at is not null", Micros.FromTime(now)), write: true);

    /// <summary>The time a sweep goes by, and the condition of its partial index.</summary>
    private static (string Column, string Condition) SweepColumn(Sweep sweep) => sweep switch
    {
        Sweep.Dispatch => ("dispatch_at", "dispatch_at is not null"),
        Sweep.Lapsed => ("lease_until", $"state = {TaskStates.Running}"),
        _ => ("expires_at", "state in (3, 7) and expires_at is not null"),
    };
}
