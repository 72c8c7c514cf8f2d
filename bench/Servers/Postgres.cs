using System.Data.Common;
using Npgsql;
using TaskQueue.Bench.Load;

namespace TaskQueue.Bench.Servers;

/// <summary>PostgreSQL. Databases are copies of a migrated template.</summary>
internal sealed class Postgres(string connectionString, string scratch, CancellationToken cancellationToken) : IBenchServer
{
    private int _last;
    private string? _template;

    public async Task<BenchDatabase> CreateAsync()
    {
        if (_template is null)
        {
            _template = await CreateAsync(template: null);
            await ServerProcess.MigrateAsync(Address(_template).ConnectionString, cancellationToken);
        }

        var name = await CreateAsync(_template);
        return new PostgresDatabase(this, Address(name), scratch, cancellationToken);
    }

    public Task DropAsync(string name) => ExecuteAsync($"drop database if exists {name} with (force)", CancellationToken.None);

    public async Task<string> VersionAsync()
    {
        await using var connection = await OpenAsync(connectionString, cancellationToken);
        return $"PostgreSQL {connection.PostgreSqlVersion}";
    }

    public async ValueTask DisposeAsync()
    {
        if (_template is not null)
            await DropAsync(_template);
    }

    public static async Task<NpgsqlConnection> OpenAsync(string connectionString, CancellationToken cancellationToken)
    {
        // No pool: a database with open connections cannot be copied.
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, CommandTimeout = 3600 };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    private async Task<string> CreateAsync(string? template)
    {
        var name = $"taskqueue_bench_{Environment.ProcessId}_{++_last}";
        await ExecuteAsync($"create database {name}{(template is null ? "" : $" template {template}")}", cancellationToken);
        return name;
    }

    private NpgsqlConnectionStringBuilder Address(string name) => new(connectionString) { Database = name };

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(connectionString, cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}

/// <summary>A PostgreSQL database; references run with pgbench.</summary>
internal sealed class PostgresDatabase(Postgres postgres, NpgsqlConnectionStringBuilder address, string scratch,
    CancellationToken cancellationToken)
    : BenchDatabase(address.ConnectionString, cancellationToken)
{
    private const string Id = "(lpad(to_hex(1700000000000 + n / 10), 12, '0') || '40008000' || lpad(to_hex(n), 12, '0'))::uuid";

    private static readonly string Payload = $$"""'{{Bodies.Plain[..^1]}},"id":"' || {{Id}} || '","created_at":1700000000}'""";

    private static readonly RowSql Row = new(Id, "'noop'", Payload, $"octet_length({Payload})",
        "now() - interval '1 day' + n * interval '1 microsecond'", "clock_timestamp()", "now() + interval '7 days'",
        $"'{TaskRow.Owner}'", "false", "true");

    private int _server;

    public override string Tool => "pgbench";

    protected override string EventsWait =>
        """
        select case when exists (
            select from outbox_partitions s
            where s.published_to < (select o.id from outbox o where o.partition_id = s.id order by o.id desc limit 1)) then 1 else 0 end
        """;

    protected override string TasksWait =>
        "select case when exists (select from ready where dispatch_at is not null) or exists (select from running) then 1 else 0 end";

    /// <summary>The address as other programs take it.</summary>
    public Uri Url => new(
        $"postgres://{Uri.EscapeDataString(address.Username!)}:{Uri.EscapeDataString(address.Password!)}@{address.Host}:{address.Port}/"
            + address.Database);

    /// <summary>Prepares for the next load: vacuum, statistics, and a checkpoint.</summary>
    public async Task RestAsync()
    {
        await ExecuteAsync("vacuum analyze");
        await ExecuteAsync("checkpoint");
    }

    /// <summary>CPU time of all processes of the database server, which must run on this machine.</summary>
    public async Task<TimeSpan> ReadCpuTimeAsync()
    {
        if (_server == 0)
        {
            await using var connection = await Postgres.OpenAsync(ConnectionString, Stop);
            _server = CpuTime.ParentOf(connection.ProcessID);
        }

        return CpuTime.OfTree(_server);
    }

    /// <summary>Bytes of write-ahead log so far, of all databases of the server.</summary>
    public Task<long> ReadWalAsync() => ReadAsync("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint");

    /// <summary>Opens a session that holds a snapshot until it is disposed, so that vacuum removes nothing that dies meanwhile.</summary>
    public async Task<IAsyncDisposable> HoldSnapshotAsync()
    {
        var connection = await Postgres.OpenAsync(ConnectionString, Stop);
        await using var command = new NpgsqlCommand("begin isolation level repeatable read; select count(*) from queues", connection);
        await command.ExecuteScalarAsync(Stop);
        return connection;
    }

    public override Task TidyAsync(string table) => ExecuteAsync($"vacuum analyze {table}");

    public override async Task<double> InsertPlainAsync(string payload, int clients, int rowsPerStatement, TimeSpan time)
    {
        await ExecuteAsync("create table if not exists bench_insert (id uuid primary key, payload text not null, created_at timestamptz "
            + "not null)");
        await ExecuteAsync("truncate bench_insert");
        await SettleAsync();
        // The payload is sent with every statement, as it is with a request.
        var rows = string.Join(',', Enumerable.Repeat("(gen_random_uuid(), :payload, now())", rowsPerStatement));
        return await PgBenchAsync(
            $"insert into bench_insert (id, payload, created_at) values {rows};",
            ["-c", $"{clients}", "-j", "2", "-T", $"{time.TotalSeconds:0}", "-D", $"payload={payload}"]);
    }

    public override async Task<double> ClaimPlainAsync(string payload, int waiting, int clients, int rowsPerStatement,
        int statementsPerClient)
    {
        await ExecuteAsync(
            """
            create table if not exists bench_claim (id uuid primary key, state int not null, payload text not null,
                created_at timestamptz not null);
            create index if not exists ix_bench_claim on bench_claim (created_at, id) where state = 0
            """);
        await ExecuteAsync("truncate bench_claim");
        await ExecuteAsync(
            $"""
            insert into bench_claim (id, state, payload, created_at)
            select gen_random_uuid(), 0, '{payload}', now() + n * interval '1 microsecond' from generate_series(1, {waiting}) as n
            """);
        await TidyAsync("bench_claim");
        await SettleAsync();
        return await PgBenchAsync(
            $"""
            update bench_claim set state = 1 where id in (
                select id from bench_claim where state = 0 order by created_at, id limit {rowsPerStatement} for update skip locked)
            returning id, payload;
            """,
            ["-c", $"{clients}", "-j", "2", "-t", $"{statementsPerClient}"]);
    }

    public override async ValueTask DisposeAsync() => await postgres.DropAsync(address.Database!);

    // Both inserts are one transaction, in which now() is the same.
    protected override string InsertOf(TaskRow row, long first, long count) =>
        row.Inserts(Row, $"generate_series({first}, {first + count - 1}) as n");

    protected override DbConnection Connect() =>
        new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString);

    private async Task<double> PgBenchAsync(string script, IReadOnlyList<string> args)
    {
        var file = Path.Combine(scratch, "pgbench.sql");
        await File.WriteAllTextAsync(file, script, Stop);
        var environment = new Dictionary<string, string> { ["PGPASSWORD"] = address.Password ?? "" };
        var lines = await ChildProcess.RunAsync(
            "pgbench",
            ["-h", address.Host!, "-p", $"{address.Port}", "-U", address.Username!, "-n", "-M", "prepared", "-f", file, .. args,
                address.Database!],
            environment, Stop);
        var tps = lines.FirstOrDefault(l => l.StartsWith("tps = ", StringComparison.Ordinal));
        return tps is not null && lines.Any(l => l.StartsWith("number of failed transactions: 0 ", StringComparison.Ordinal))
            ? double.Parse(tps.Split(' ')[2])
            : throw new BenchException($"pgbench failed:\n{string.Join('\n', lines)}");
    }
}
