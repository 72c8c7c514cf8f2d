using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    public async Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max)
    {
        var (column, condition) = SweepColumn(sweep);
        await using var command = source.CreateCommand(
            $"select id from tasks where {condition} and {column} <= $1 order by {column} limit $2 for update skip locked");
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
        var (column, condition) = SweepColumn(sweep);
        return ReadTimeAsync($"select {column} from tasks where {condition} order by {column} limit 1");
    }

    public async Task RedispatchAllAsync(DateTime now)
    {
        await using var command = source.CreateCommand("update tasks set dispatch_at = greatest(due_at, $1) where dispatch_at is not null");
        command.Parameters.Add(Value(now));
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The time a sweep goes by, and the condition of its partial index.</summary>
    private static (string Column, string Condition) SweepColumn(Sweep sweep) => sweep switch
    {
        Sweep.Dispatch => ("dispatch_at", "dispatch_at is not null"),
        Sweep.Lapsed => ("lease_until", $"state = {TaskStates.Running}"),
        _ => ("expires_at", "state in (3, 7) and expires_at is not null"),
    };
}
