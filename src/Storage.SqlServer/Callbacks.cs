using TaskQueue.Engine.Callbacks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    private const string Owner = $"owner {SqlServerTaskDbContext.ExactType}", Origin = "origin nvarchar(300)";

    // The callbacks of owners and receivers at their limit are skipped, however many there are, so they block no other callback.
    private static readonly Statement TakeCallbacksSql = new(
        $"""
        with ready as (
            select top (1000) c.id, c.due_at, s.owner, s.origin from callbacks c with (readpast, rowlock, readcommittedlock)
            cross apply (select coalesce(c.owner, 0x) as owner, coalesce(c.origin, N'') as origin) as s
            where c.state = {SqlStates.CallbackWaiting} and c.due_at <= @now
                and s.owner not in (select f.owner from {Rows.Table("@full_owners", Owner)} as f)
                and not exists (select 1 from {Rows.Table("@full_origins", Owner, Origin)} as f where f.owner = s.owner
                    and f.origin = s.origin)
            order by c.due_at),
        placed as (
            select id, due_at, owner, origin, row_number() over (partition by owner, origin order by due_at, id) as place from ready),
        open_ones as (
            select p.id, p.due_at, p.owner, row_number() over (partition by p.owner order by p.due_at, p.id)
                + (select count(*) from {Rows.Table("@busy", Owner, Origin)} as b where b.owner = p.owner) as place
            from placed p
            where p.place <= @per_origin - (select count(*) from {Rows.Table("@busy", Owner, Origin)} as b where b.owner = p.owner
                and b.origin = p.origin)),
        fitting as (
            select top (@max) o.id from open_ones o
            where o.place <= case when o.owner = 0x then @unowned else @per_owner end
            order by o.place, o.due_at, o.id)
        update c set attempts = c.attempts + 1, due_at = @given_up_at
        output inserted.id, inserted.subject_id, inserted.url, inserted.body, inserted.attempts, inserted.due_at, inserted.log,
            inserted.created_at,
            {Rows.Read("owner", "inserted.")}, inserted.origin
        from fitting f inner loop join callbacks c {SkippingSought} on c.id = f.id
        where c.state = {SqlStates.CallbackWaiting} and c.due_at <= @now
        """,
        Time("@now"), Time("@given_up_at"), Int("@max"), Json("@full_owners"), Json("@full_origins"), Json("@busy"), Int("@per_origin"),
        Int("@per_owner"), Int("@unowned"));

    private static readonly Statement SettleCallbackSql = new(
        "update callbacks set state = @state, due_at = @due, log = @log, finished_at = @finished where id = @id and attempts = @attempts "
            + $"and state = {SqlStates.CallbackWaiting}",
        BigInt("@id"), Int("@attempts"), Int("@state"), Time("@due"), LongText("@log"), Time("@finished"));

    private static readonly Statement NextCallbackSql = new($"select top (1) due_at from callbacks where state = "
        + $"{SqlStates.CallbackWaiting} order by due_at");

    private static readonly Statement RemoveCallbacksSql = new(
        $"""
        set nocount off;
        delete c from (
            select top (@max) id from callbacks {Skipping} where finished_at is not null and finished_at < @before
                order by finished_at) as f
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
                    Owner = r.IsDBNull(8) ? null : r.GetString(8), Origin = r.IsDBNull(9) ? null : r.GetString(9),
                },
                now, claim.GivenUpAt, claim.Max, Rows.Json(claim.FullOwners.Select(o => (object?[])[o])), Slots(claim.FullOrigins),
                Slots(claim.Busy),
                claim.Limits.PerOrigin, claim.Limits.PerOwner, claim.Limits.Unowned);
            await transaction.CommitAsync();
            return rows;
        });
        return taken;
    }

    public Task SettleAsync(Callback callback) =>
        RunAsync(SettleCallbackSql, callback.Id, callback.Attempts, (int)callback.State, callback.DueAt, callback.Log, callback.FinishedAt);

    public async Task<DateTime?> NextCallbackAsync() => (await QueryAsync(NextCallbackSql, r => ReadTime(r, 0))).FirstOrDefault();

    public Task<int> RemoveSettledAsync(DateTime before, int max) => RunAsync(RemoveCallbacksSql, before, max);

    private static string Slots(IEnumerable<CallbackSlot> slots) => Rows.Json(slots.Select(s => (object?[])[s.Owner, s.Origin]));
}
