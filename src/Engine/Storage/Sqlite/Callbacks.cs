using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Engine.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string DueCallbacksSql = "select id, url from callbacks where state = 0 and due_at <= @0 order by due_at, id";

    private const string TakeCallbackSql =
        """
        update callbacks set attempts = attempts + 1, due_at = @1 where id = @0
        returning id, subject_id, url, body, attempts, due_at, log, created_at
        """;

    private const string SettleCallbackSql =
        "update callbacks set state = @2, due_at = @3, log = @4, finished_at = @5 where id = @0 and attempts = @1 and state = 0";

    private const string NextCallbackSql = "select due_at from callbacks where state = 0 order by due_at limit 1";

    private const string RemoveCallbacksSql =
        "delete from callbacks where id in (select id from callbacks where finished_at is not null and finished_at < @0 order by finished_at limit @1)";

    public Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now) =>
        UseAsync<IReadOnlyList<Callback>>(
            () => FittingCallbacks(claim, now).ConvertAll(id => Query(
                TakeCallbackSql,
                r => new Callback
                {
                    Id = r.GetInt64(0), SubjectId = r.GetGuid(1), Url = r.GetString(2), Body = r.GetString(3),
                    Attempts = r.GetInt32(4), DueAt = Micros.ToTime(r.GetInt64(5)), Log = r.GetString(6), CreatedAt = Micros.ToTime(r.GetInt64(7)),
                },
                id, Micros.FromTime(claim.GivenUpAt))[0]),
            write: true);

    public Task SettleAsync(Callback callback) =>
        UseAsync(
            () => Execute(SettleCallbackSql, callback.Id, callback.Attempts, (int)callback.State, Micros.FromTime(callback.DueAt), callback.Log,
                callback.FinishedAt is { } at ? Micros.FromTime(at) : DBNull.Value),
            write: true);

    public Task<DateTime?> NextCallbackAsync() =>
        UseAsync(() => ToTime(Query(NextCallbackSql, r => (long?)r.GetInt64(0)).SingleOrDefault()), write: false);

    public Task<int> RemoveSettledAsync(DateTime before, int max) => UseAsync(() => Execute(RemoveCallbacksSql, Micros.FromTime(before), max), write: true);

    /// <summary>Reads no further than it must; but past the callbacks of full hosts, however many they are.</summary>
    private List<long> FittingCallbacks(CallbackClaim claim, DateTime now)
    {
        var hosts = claim.Busy.CountBy(h => h).ToDictionary();
        var ids = new List<long>();
        using var reader = Prepare(DueCallbacksSql, Micros.FromTime(now)).ExecuteReader();
        while (ids.Count < claim.Max && reader.Read())
        {
            var host = CallbackRules.HostOf(reader.GetString(1));
            var count = hosts.GetValueOrDefault(host);
            if (count >= claim.MaxPerHost)
                continue;
            hosts[host] = count + 1;
            ids.Add(reader.GetInt64(0));
        }

        return ids;
    }
}
