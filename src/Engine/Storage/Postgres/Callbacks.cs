using Npgsql;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Engine.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private const string TakeCallbacksSql =
        """
        update callbacks set attempts = attempts + 1, due_at = $2
        where state = 0 and id = any(array(select id from callbacks where state = 0 and due_at <= $1 order by due_at limit $3 for update skip locked))
        returning id, subject_id, url, body, attempts, due_at, log, created_at
        """;

    private const string SettleCallbackSql =
        "update callbacks set state = $3, due_at = $4, log = $5, finished_at = $6 where id = $1 and attempts = $2 and state = 0";

    private const string RemoveCallbacksSql =
        "delete from callbacks where id = any(array(select id from callbacks where finished_at is not null and finished_at < $1 order by finished_at limit $2 for update skip locked))";

    public async Task<IReadOnlyList<Callback>> TakeAsync(DateTime now, DateTime givenUpAt, int max)
    {
        await using var command = source.CreateCommand(TakeCallbacksSql);
        command.Parameters.AddRange((NpgsqlParameter[])[Value(now), Value(givenUpAt), Value(max)]);
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

    public async Task<int> RemoveSettledAsync(DateTime before, int max)
    {
        await using var command = source.CreateCommand(RemoveCallbacksSql);
        command.Parameters.AddRange((NpgsqlParameter[])[Value(before), Value(max)]);
        return await command.ExecuteNonQueryAsync();
    }
}
