using Npgsql;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Engine.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    // The callbacks of a host that has all it may are passed over, however many they are: nobody waits behind them.
    private const string TakeCallbacksSql =
        """
        with ready as (
            select id, due_at, split_part(url, '/', 3) as host from callbacks
            where state = 0 and due_at <= $1 and split_part(url, '/', 3) <> all($4) order by due_at limit 1000),
        placed as (
            select id, due_at, host, row_number() over (partition by host order by due_at, id) as place from ready),
        fitting as (
            select id from placed where place <= $5 - (select count(*) from unnest($6) as b(host) where b.host = placed.host) order by due_at, id limit $3),
        taken as (
            select id from callbacks where id = any(array(select id from fitting)) and state = 0 and due_at <= $1 for update skip locked)
        update callbacks set attempts = attempts + 1, due_at = $2 where id = any(array(select id from taken))
        returning id, subject_id, url, body, attempts, due_at, log, created_at
        """;

    private const string SettleCallbackSql =
        "update callbacks set state = $3, due_at = $4, log = $5, finished_at = $6 where id = $1 and attempts = $2 and state = 0";

    private const string NextCallbackSql = "select due_at from callbacks where state = 0 order by due_at limit 1";

    private const string RemoveCallbacksSql =
        "delete from callbacks where id = any(array(select id from callbacks where finished_at is not null and finished_at < $1 order by finished_at limit $2 for update skip locked))";

    public async Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now)
    {
        await using var command = source.CreateCommand(TakeCallbacksSql);
        command.Parameters.AddRange((NpgsqlParameter[])
            [Value(now), Value(claim.GivenUpAt), Value(claim.Max), Value<string[]>([.. claim.Full]), Value((long)claim.MaxPerHost), Value<string[]>([.. claim.Busy])]);
        await using var reader = await command.ExecuteReaderAsync();
        var taken = new List<Callback>();
        while (await reader.ReadAsync())
        {
            taken.Add(new Callback
            {
                Id = reader.GetInt64(0), SubjectId = reader.GetGuid(1), Url = reader.GetString(2), Body = reader.GetString(3),
                Attempts = reader.GetInt32(4), DueAt = reader.GetDateTime(5), Log = reader.GetString(6), CreatedAt = reader.GetDateTime(7),
            });
        }

        return taken;
    }

    public Task SettleAsync(Callback callback) => RunAsync(SettleCallbackSql, () =>
        [Value(callback.Id), Value(callback.Attempts), Value((int)callback.State), Value(callback.DueAt), Value(callback.Log), Nullable(callback.FinishedAt)]);

    public Task<DateTime?> NextCallbackAsync() => ReadTimeAsync(NextCallbackSql);

    public async Task<int> RemoveSettledAsync(DateTime before, int max)
    {
        await using var command = source.CreateCommand(RemoveCallbacksSql);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        command.Parameters.AddRange((NpgsqlParameter[])[Value(before), Value(max)]);
        return await command.ExecuteNonQueryAsync();
    }
}
