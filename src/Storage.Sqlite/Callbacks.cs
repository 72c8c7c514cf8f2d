using TaskQueue.Engine;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const int LookAhead = 1000;

    private const string DueCallbacksSql =
        $"select id, owner, origin from callbacks where state = {SqlStates.CallbackWaiting} and due_at <= @now order by due_at, id";

    private const string TakeCallbackSql =
        """
        update callbacks set attempts = attempts + 1, due_at = @due_at where id = @id
        returning id, subject_id, url, body, attempts, due_at, log, created_at, owner, origin
        """;

    private const string SettleCallbackSql =
        $"""
        update callbacks set state = @state, due_at = @due_at, log = @log, finished_at = @finished_at
        where id = @id and attempts = @attempts and state = {SqlStates.CallbackWaiting}
        """;

    private const string NextCallbackSql =
        $"select due_at from callbacks where state = {SqlStates.CallbackWaiting} order by due_at limit 1";

    private const string RemoveCallbacksSql =
        """
        delete from callbacks where id in (
            select id from callbacks where finished_at is not null and finished_at < @before order by finished_at limit @max)
        """;

    public Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now) =>
        UseAsync<IReadOnlyList<Callback>>(
            () => FittingCallbacks(claim, now).ConvertAll(id => Query(
                TakeCallbackSql,
                r => new Callback
                {
                    Id = r.GetInt64(0), SubjectId = r.GetGuid(1), Url = r.GetString(2), Body = r.GetString(3),
                    Attempts = r.GetInt32(4), DueAt = Micros.ToTime(r.GetInt64(5)), Log = r.GetString(6),
                    CreatedAt = Micros.ToTime(r.GetInt64(7)),
                    Owner = r.IsDBNull(8) ? null : r.GetString(8), Origin = r.IsDBNull(9) ? null : r.GetString(9),
                },
                ("@id", id), ("@due_at", Micros.FromTime(claim.GivenUpAt)))[0]),
            write: true);

    public Task SettleAsync(Callback callback) =>
        UseAsync(
            () => Execute(SettleCallbackSql, ("@id", callback.Id), ("@attempts", callback.Attempts), ("@state", (int)callback.State),
                ("@due_at", Micros.FromTime(callback.DueAt)), ("@log", callback.Log), ("@finished_at", OrNull(callback.FinishedAt))),
            write: true);

    public Task<DateTime?> NextCallbackAsync() =>
        UseAsync(() => Query(NextCallbackSql, r => ReadTime(r, 0)).SingleOrDefault(), write: false);

    public Task<int> RemoveSettledAsync(DateTime before, int max) =>
        UseAsync(() => Execute(RemoveCallbacksSql, ("@before", Micros.FromTime(before)), ("@max", max)), write: true);

    /// <summary>
    /// Reads no further than necessary, skipping the callbacks of owners and receivers at their limit, however many there are.
    /// </summary>
    private List<long> FittingCallbacks(CallbackClaim claim, DateTime now)
    {
        var owners = claim.Busy.CountBy(b => b.Owner).ToDictionary();
        var slots = claim.Busy.CountBy(b => b).ToDictionary();
        var passed = claim.PassedOver.ToHashSet(StringComparer.Ordinal);
        var fitting = new List<(int Place, long Id)>();
        using var reader = Prepare(DueCallbacksSql, ("@now", Micros.FromTime(now))).ExecuteReader();
        for (var read = 0; (fitting.Count < claim.Max || read < LookAhead) && reader.Read(); read++)
        {
            var slot = new CallbackSlot(reader.IsDBNull(1) ? "" : reader.GetString(1), reader.IsDBNull(2) ? "" : reader.GetString(2));
            var (ofOwner, ofOrigin) = (owners.GetValueOrDefault(slot.Owner), slots.GetValueOrDefault(slot));
            if (passed.Contains(slot.Owner) || ofOwner >= claim.MaxOf(slot.Owner) || ofOrigin >= claim.Limits.PerOrigin)
                continue;
            (owners[slot.Owner], slots[slot]) = (ofOwner + 1, ofOrigin + 1);
            fitting.Add((ofOwner + 1, reader.GetInt64(0)));
        }

        return [.. fitting.OrderBy(f => f.Place).Take(claim.Max)
            .Select(f => f.Id)]; // longest due first if they rank equal
    }
}
