using Npgsql;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// The lease of the outbox dispatcher: a row that its holder renews, by the clock of the database. It needs no session, so it works behind
/// a connection pooler; and it is void on a server that was promoted since, which may lack what the old one had published.
/// </summary>
internal sealed class OutboxLease : IOutboxLease
{
    private const string AcquireSql =
        """
        with free as (
            select id from outbox_lease where held_until < clock_timestamp()
                or held_until > clock_timestamp() + interval '1 minute' -- the clock was set back
            for update skip locked),
        taken as (
            update outbox_lease l set holder = $1, address = $2, lease_epoch = l.lease_epoch + 1, held_until = clock_timestamp() + $3
            from free where l.id = free.id returning l.lease_epoch as epoch)
        select (select epoch from taken), l.address from outbox_lease l
        """;

    /// <summary>Notes once for each timeline where its dispatchers began, before they save anything.</summary>
    private const string BeginSql =
        """
        update outbox_lease set timeline = $3, begun_at = (select array_agg(published_to order by id) from outbox_partitions)
        where holder = $1 and lease_epoch = $2 and timeline is distinct from $3
        """;

    internal const string LoadBegunSql =
        $"""
        select coalesce((select begun_at from outbox_lease where timeline = {Timeline}),
            (select array_agg(published_to order by id) from outbox_partitions))
        """;

    private const string RenewSql =
        $"update outbox_lease set held_until = clock_timestamp() + $4 where {Mine}";

    internal const string SaveOffsetsSql =
        $"""
        update outbox_partitions s set published_to = u.published_to from unnest($4) with ordinality as u(published_to, n)
        where s.id = u.n - 1 and s.published_to < u.published_to and exists (select 1 from outbox_lease where {Mine})
          and (select true from outbox o where o.partition_id = s.id and o.id = u.published_to) -- by primary key; lost rows publish nothing
        """;

    private const string ReleaseSql = "update outbox_lease set held_until = '-infinity' where holder = $1 and lease_epoch = $2";

    // A promoted replica has another timeline than the server it replaces.
    internal const string Timeline = "left(pg_walfile_name(pg_current_wal_lsn()), 8)";

    private const string SameServer = $" and {Timeline} = $3";

    private const string Mine = $"holder = $1 and lease_epoch = $2{SameServer}";

    /// <summary>Longest time for which a dead or frozen holder delays events.</summary>
    internal static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan RenewEvery = Length / 4;

    private readonly NpgsqlDataSource _source;
    private readonly TimeProvider _time;
    private readonly Guid _holder;
    private readonly long _epoch;
    private readonly string? _timeline; // null on services that do not tell: their storage loses no commit when a server is replaced
    private readonly CancellationTokenSource _stop = new();
    private long _renewedAt;

    private OutboxLease(NpgsqlDataSource source, TimeProvider time, Guid holder, long epoch, string? timeline, long acquiredAt)
    {
        (_source, _time, _holder, _epoch, _timeline, _renewedAt) = (source, time, holder, epoch, timeline, acquiredAt);
        Lost = RenewAsync();
    }

    public Task Lost { get; }

    public bool IsHeld => !Lost.IsCompleted && _time.GetElapsedTime(Volatile.Read(ref _renewedAt)) < Length;

    public static async Task<OutboxLeaseAnswer> TryAcquireAsync(
        NpgsqlDataSource source, TimeProvider time, string address, CancellationToken cancellationToken)
    {
        var (holder, begin) = (Guid.NewGuid(), time.GetTimestamp());
        long epoch;
        await using (var command = source.CreateCommand(AcquireSql))
        {
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = holder });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = address });
            command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = Length });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            await reader.ReadAsync(cancellationToken);
            if (await reader.IsDBNullAsync(0, cancellationToken))
                return new OutboxLeaseAnswer(null, await reader.IsDBNullAsync(1, cancellationToken) ? null : reader.GetString(1));
            epoch = reader.GetInt64(0);
        }

        // Before the offsets are read: they are this server's, or the lease is lost.
        var timeline = await TimelineAsync(source, cancellationToken);
        if (timeline is not null)
            await BeginAsync(source, holder, epoch, timeline, cancellationToken);
        return new OutboxLeaseAnswer(new OutboxLease(source, time, holder, epoch, timeline, begin), address);
    }

    /// <summary>The offsets before anything was published on this server; null if it does not tell.</summary>
    public static async Task<long[]?> LoadBegunAsync(NpgsqlDataSource source)
    {
        try
        {
            await using var command = source.CreateCommand(LoadBegunSql);
            return (long[])(await command.ExecuteScalarAsync())!;
        }
        catch (PostgresException fault) when (TellsNoTimeline(fault))
        {
            return null;
        }
    }

    private static async Task BeginAsync(
        NpgsqlDataSource source, Guid holder, long epoch, string timeline, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand(BeginSql);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = holder });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = epoch });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = timeline });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task SaveOffsetsAsync(long[] offsets)
    {
        await using var command = Command(SaveOffsetsSql);
        command.Parameters.Add(new NpgsqlParameter<long[]> { TypedValue = OutboxRows.RowsRead(offsets) });
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Lost.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        await using var command = _source.CreateCommand(ReleaseSql);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = _holder });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = _epoch });
        await command.ExecuteNonQueryAsync();
    }

    private async Task RenewAsync()
    {
        while (true)
        {
            await Task.Delay(RenewEvery, _time, _stop.Token);
            var begin = _time.GetTimestamp();
            var isMine = await TryRenewAsync();
            // Final: whoever saw that the lease had ended must not see it held again.
            if (_time.GetElapsedTime(_renewedAt) >= Length)
                throw new OutboxLeaseLostException("it was not renewed in time");
            if (isMine is false)
                throw new OutboxLeaseLostException("another process has it, or another server has replaced the database's");
            if (isMine is true)
                Volatile.Write(ref _renewedAt, begin);
        }
    }

    /// <summary>Renews the lease, as long as it lasts.</summary>
    /// <returns>Whether it is this process's; null if the database did not answer.</returns>
    private async Task<bool?> TryRenewAsync()
    {
        var left = Length - _time.GetElapsedTime(_renewedAt);
        if (left <= TimeSpan.Zero)
            return null;
        using var end = new CancellationTokenSource(left, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(end.Token, _stop.Token);
        try
        {
            await using var command = Command(RenewSql);
            command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = Length });
            return await command.ExecuteNonQueryAsync(either.Token) > 0;
        }
        catch (Exception fault) when (!_stop.IsCancellationRequested && (fault is OperationCanceledException
            || (fault is NpgsqlException && (fault is not PostgresException || StorageFaults.IsTransient(fault)))))
        {
            return null; // the next try may succeed before the lease ends
        }
    }

    /// <summary>A statement with the parameters of <see cref="Mine"/>.</summary>
    private NpgsqlCommand Command(string sql)
    {
        var command = _source.CreateCommand(_timeline is null ? sql.Replace(SameServer, "", StringComparison.Ordinal) : sql);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = _holder });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = _epoch });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _timeline ?? "" });
        return command;
    }

    private static async Task<string?> TimelineAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = source.CreateCommand($"select {Timeline}");
            return (string)(await command.ExecuteScalarAsync(cancellationToken))!;
        }
        catch (PostgresException fault) when (TellsNoTimeline(fault))
        {
            return null;
        }
    }

    private static bool TellsNoTimeline(PostgresException fault) => fault.SqlState is PostgresErrorCodes.FeatureNotSupported
        or PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.InsufficientPrivilege;
}

/// <summary>The lease of the outbox dispatcher was lost; the next try resumes at the saved offsets.</summary>
internal sealed class OutboxLeaseLostException(string reason) : Exception($"the lease of the outbox dispatcher was lost: {reason}");
