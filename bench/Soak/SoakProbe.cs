using Npgsql;

namespace TaskQueue.Bench.Soak;

/// <summary>Samples the database over a dedicated connection.</summary>
internal sealed class SoakProbe(NpgsqlConnection connection) : IAsyncDisposable
{
    private const string TablesSql =
        """
        select s.relname::text, pg_relation_size(s.relid), pg_indexes_size(s.relid),
            coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0),
            s.n_live_tup, s.n_dead_tup, s.n_tup_ins, s.n_tup_del, s.autovacuum_count
        from pg_stat_user_tables s join pg_class c on c.oid = s.relid
        """;

    private const string TimesSql =
        """
        select (pg_current_wal_lsn() - '0/0')::float8,
            coalesce(extract(epoch from now() - (
                select min(o.at) from outbox_partitions s cross join lateral (
                    select at from outbox where partition_id = s.id and id > s.published_to order by id limit 1) o)), 0)::float8,
            coalesce(extract(epoch from now() - (select min(delete_at) from outcomes where delete_at <= now())), 0)::float8
        """;

    private const string ConnectionsSql =
        "select application_name, count(*)::int from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            + "group by 1";

    private static readonly string IndexesSql =
        $"""
        select indexrelname::text, pg_relation_size(indexrelid) from pg_stat_user_indexes
        where relname in ('{string.Join("', '", SoakPlan.Tables)}') order by 2 desc, 1
        """;

    private static readonly string[] Settings =
    [
        "shared_buffers", "max_wal_size", "synchronous_commit", "fsync", "full_page_writes", "autovacuum", "autovacuum_naptime",
        "autovacuum_vacuum_scale_factor", "autovacuum_vacuum_cost_limit", "autovacuum_vacuum_cost_delay", "checkpoint_timeout",
        "max_connections",
    ];

    public async Task<DatabaseLook> LookAsync(CancellationToken cancellationToken)
    {
        var tables = new Dictionary<string, TableLook>();
        await ReadAsync(TablesSql, r => tables.Add(r.GetString(0), new TableLook(
            r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5), r.GetInt64(6), r.GetInt64(7), r.GetInt64(8))),
                cancellationToken);
        var connections = new Dictionary<string, int>();
        await ReadAsync(ConnectionsSql, r => connections.Add(r.GetString(0), r.GetInt32(1)), cancellationToken);
        DatabaseLook? look = null;
        await ReadAsync(TimesSql,
            r => look = new DatabaseLook(tables, r.GetDouble(0), r.GetDouble(1), r.GetDouble(2), connections), cancellationToken);
        return look!;
    }

    /// <summary>Index sizes, the largest first.</summary>
    public async Task<IReadOnlyList<(string Index, long Bytes)>> IndexesAsync(CancellationToken cancellationToken)
    {
        var indexes = new List<(string, long)>();
        await ReadAsync(IndexesSql, r => indexes.Add((r.GetString(0), r.GetInt64(1))), cancellationToken);
        return indexes;
    }

    /// <summary>Relevant server settings and table settings.</summary>
    public async Task<IReadOnlyList<string>> SettingsAsync(CancellationToken cancellationToken)
    {
        var settings = new List<string>();
        foreach (var name in Settings)
            await ReadAsync($"show {name}", r => settings.Add($"{name} = {r.GetString(0)}"), cancellationToken);
        await ReadAsync(
            "select relname::text, array_to_string(reloptions, ', ') from pg_class where relkind = 'r' and reloptions is not null and "
                + "relnamespace = 'public'::regnamespace order by 1",
            r => settings.Add($"{r.GetString(0)}: {r.GetString(1)}"), cancellationToken);
        return settings;
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    private async Task ReadAsync(string sql, Action<NpgsqlDataReader> row, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            row(reader);
    }
}
