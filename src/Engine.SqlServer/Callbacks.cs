using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Storage;
using static TaskQueue.Engine.SqlServer.Statement;

namespace TaskQueue.Engine.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    /// <summary>The third part of a URL between slashes, as <see cref="CallbackRules.HostOf"/> has it.</summary>
    private const string Host = "substring(u.rest, 1, charindex(N'/', u.rest + N'/') - 1)";

    // The callbacks of a host that has all it may are passed over, however many they are: nobody waits behind them.
    private static readonly Statement TakeCallbacksSql = new(
        $"""
        with ready as (
            select top (1000) c.id, c.due_at, h.host from callbacks c with (readpast, rowlock, readcommittedlock)
            cross apply (select substring(c.url, charindex(N'//', c.url) + 2, 4000) as rest) as u
            cross apply (select {Host} as host) as h
            where c.state = 0 and c.due_at <= @now and h.host not in (select host from {Rows.Table("@full", "host nvarchar(4000)")} as f)
            order by c.due_at),
        placed as (
            select id, due_at, host, row_number() over (partition by host order by due_at, id) as place from ready),
        fitting as (
            select top (@max) p.id from placed p
            where p.place <= @per_host - (select count(*) from {Rows.Table("@busy", "host nvarchar(4000)")} as b where b.host = p.host)
            order by p.due_at, p.id)
        update c set attempts = c.attempts + 1, due_at = @given_up_at
        output inserted.id, inserted.subject_id, inserted.url, inserted.body, inserted.attempts, inserted.due_at, inserted.log, inserted.created_at
        from fitting f inner loop join callbacks c {SkippingSought} on c.id = f.id
        where c.state = 0 and c.due_at <= @now
        """,
        Time("@now"), Time("@given_up_at"), Int("@max"), Json("@full"), Int("@per_host"), Json("@busy"));

    private static readonly Statement SettleCallbackSql = new(
        "update callbacks set state = @state, due_at = @due, log = @log, finished_at = @finished where id = @id and attempts = @attempts and state = 0",
        BigInt("@id"), Int("@attempts"), Int("@state"), Time("@due"), LongText("@log"), Time("@finished"));

    private static readonly Statement NextCallbackSql = new("select top (1) due_at from callbacks where state = 0 order by due_at");

    private static readonly Statement RemoveCallbacksSql = new(
        $"""
        set nocount off;
        delete c from (
            select top (@max) id from callbacks {Skipping} where finished_at is not null and finished_at < @before order by finished_at) as f
        inner loop join callbacks c {Sought} on c.id = f.id
        """,
        Time("@before"), Int("@max"));

    public async Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now)
    {
        var taken = await InTransactionAsync<List<Callback>>(async (connection, transaction) =>
        {
            var rows = await ReadAsync(connection, transaction, TakeCallbacksSql,
                r => new Callback
                {
                    Id = r.GetInt64(0), SubjectId = StoredValue.Id(r, 1), Url = r.GetString(2), Body = r.GetString(3),
                    Attempts = r.GetInt32(4), DueAt = StoredValue.Time(r, 5), Log = r.GetString(6), CreatedAt = StoredValue.Time(r, 7),
                },
                now, claim.GivenUpAt, claim.Max, Hosts(claim.Full), claim.MaxPerHost, Hosts(claim.Busy));
            await transaction.CommitAsync();
            return rows;
        });
        return taken;
    }

    public Task SettleAsync(Callback callback) =>
        RunAsync(SettleCallbackSql, callback.Id, callback.Attempts, (int)callback.State, callback.DueAt, callback.Log, callback.FinishedAt);

    public async Task<DateTime?> NextCallbackAsync() => (await QueryAsync(NextCallbackSql, r => ReadTime(r, 0))).FirstOrDefault();

    public Task<int> RemoveSettledAsync(DateTime before, int max) => RunAsync(RemoveCallbacksSql, before, max);

    private static string Hosts(IEnumerable<string> hosts) => Rows.Json(hosts.Select(h => (object?[])[h]));
}
