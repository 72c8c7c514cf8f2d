using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Engine.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string TakeCallbacksSql =
        """
        update callbacks set attempts = attempts + 1, due_at = @1
        where id in (select id from callbacks where state = 0 and due_at <= @0 order by due_at limit @2)
        returning id, subject_id, url, body, attempts, due_at, log, created_at
        """;

    private const string SettleCallbackSql =
        "update callbacks set state = @2, due_at = @3, log = @4, finished_at = @5 where id = @0 and attempts = @1 and state = 0";

    private const string RemoveCallbacksSql =
        "delete from callbacks where id in (select id from callbacks where finished_at is not null and finished_at < @0 order by finished_at limit @1)";

    public Task<IReadOnlyList<Callback>> TakeAsync(DateTime now, DateTime givenUpAt, int max) =>
        UseAsync<IReadOnlyList<Callback>>(
            () => Query(
                TakeCallbacksSql,
                r => new Callback
                {
                    Id = r.GetInt64(0), SubjectId = r.GetGuid(1), Url = r.GetString(2), Body = r.GetString(3),
                    Attempts = r.GetInt32(4), DueAt = Micros.ToTime(r.GetInt64(5)), Log = r.GetString(6), CreatedAt = Micros.ToTime(r.GetInt64(7)),
                },
                Micros.FromTime(now), Micros.FromTime(givenUpAt), max),
            write: true);

    public Task SettleAsync(Callback callback) =>
        UseAsync(
            () => Execute(SettleCallbackSql, callback.Id, callback.Attempts, (int)callback.State, Micros.FromTime(callback.DueAt), callback.Log,
                callback.FinishedAt is { } at ? Micros.FromTime(at) : DBNull.Value),
            write: true);

    public Task<int> RemoveSettledAsync(DateTime before, int max) => UseAsync(() => Execute(RemoveCallbacksSql, Micros.FromTime(before), max), write: true);
}
