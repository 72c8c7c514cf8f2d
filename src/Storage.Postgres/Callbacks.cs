using Npgsql;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    // The callbacks of owners and receivers at their limit are skipped, however many there are, so they block no other callback.
    private const string TakeCallbacksSql =
        $"""
        with ready as (
            select c.id, c.due_at, coalesce(c.owner, '') as owner, coalesce(c.origin, '') as origin from callbacks c
            where c.state = {SqlStates.CallbackWaiting} and c.due_at <= $1 and coalesce(c.owner, '') <> all($4)
                and not exists (select 1 from unnest($5, $6) as f(owner, origin) where f.owner = coalesce(c.owner, '')
                    and f.origin = coalesce(c.origin, ''))
            order by c.due_at limit 1000),
        placed as (
            select id, due_at, owner, origin, row_number() over (partition by owner, origin order by due_at, id) as place from ready),
        open_ones as (
            select id, due_at, owner, row_number() over (partition by owner order by due_at, id)
                + (select count(*) from unnest($7) as b(owner) where b.owner = placed.owner) as place
            from placed
            where place <= $9 - (select count(*) from unnest($7, $8) as b(owner, origin) where b.owner = placed.owner
                and b.origin = placed.origin)),
        fitting as (
            select id from open_ones where place <= case owner when '' then $11 else $10 end order by place, due_at, id limit $3),
        taken as (
            select id from callbacks where id = any(array(select id from fitting)) and state = {SqlStates.CallbackWaiting} and due_at <= $1
                for update skip locked)
        update callbacks set attempts = attempts + 1, due_at = $2 where id = any(array(select id from taken))
        returning id, subject_id, url, body, attempts, due_at, log, created_at, owner, origin
        """;

    private const string SettleCallbackSql =
        $"update callbacks set state = $3, due_at = $4, log = $5, finished_at = $6 where id = $1 and attempts = $2 and state = "
            + $"{SqlStates.CallbackWaiting}";

    private const string NextCallbackSql = $"select due_at from callbacks where state = {SqlStates.CallbackWaiting} order by due_at limit "
        + $"1";

    private const string RemoveCallbacksSql =
        "delete from callbacks where id = any(array(select id from callbacks where finished_at is not null and finished_at < $1 order by "
            + "finished_at limit $2 for update skip locked))";

    public async Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now)
    {
        await using var command = source.CreateCommand(TakeCallbacksSql);
        command.Parameters.AddRange((NpgsqlParameter[])
        [
            Value(now), Value(claim.GivenUpAt), Value(claim.Max), Value<string[]>([.. claim.FullOwners]),
            Owners(claim.FullOrigins), Origins(claim.FullOrigins), Owners(claim.Busy), Origins(claim.Busy),
            Value((long)claim.Limits.PerOrigin), Value((long)claim.Limits.PerOwner), Value((long)claim.Limits.Unowned),
        ]);
        await using var reader = await command.ExecuteReaderAsync();
        var taken = new List<Callback>();
        while (await reader.ReadAsync())
        {
            taken.Add(new Callback
            {
                Id = reader.GetInt64(0), SubjectId = reader.GetGuid(1), Url = reader.GetString(2), Body = reader.GetString(3),
                Attempts = reader.GetInt32(4), DueAt = reader.GetDateTime(5), Log = reader.GetString(6), CreatedAt = reader.GetDateTime(7),
                Owner = reader.IsDBNull(8) ? null : reader.GetString(8), Origin = reader.IsDBNull(9) ? null : reader.GetString(9),
            });
        }

        return taken;
    }

    public Task SettleAsync(Callback callback) => RunAsync(SettleCallbackSql, () =>
        [Value(callback.Id), Value(callback.Attempts), Value((int)callback.State), Value(callback.DueAt), Value(callback.Log),
            Nullable(callback.FinishedAt)]);

    public Task<DateTime?> NextCallbackAsync() => ReadTimeAsync(NextCallbackSql);

    public async Task<int> RemoveSettledAsync(DateTime before, int max)
    {
        await using var command = source.CreateCommand(RemoveCallbacksSql);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        command.Parameters.AddRange((NpgsqlParameter[])[Value(before), Value(max)]);
        return await command.ExecuteNonQueryAsync();
    }

    private static NpgsqlParameter<string[]> Owners(IEnumerable<CallbackSlot> slots) => Value<string[]>([.. slots.Select(s => s.Owner)]);

    private static NpgsqlParameter<string[]> Origins(IEnumerable<CallbackSlot> slots) => Value<string[]>([.. slots.Select(s => s.Origin)]);
}
