using System.Data.Common;
using System.Diagnostics;
using Microsoft.Data.SqlClient;
using TaskQueue.Bench.Load;

namespace TaskQueue.Bench.Servers;

/// <summary>SQL Server, with a login that may create databases.</summary>
internal sealed class SqlServer(string connectionString, CancellationToken cancellationToken) : IBenchServer
{
    private int _last;

    public async Task<BenchDatabase> CreateAsync()
    {
        var name = $"taskqueue_bench_{Environment.ProcessId}_{++_last}";
        await ExecuteAsync($"create database {name}", cancellationToken);
        await ExecuteAsync($"alter database {name} set read_committed_snapshot on", cancellationToken);
        var address = new SqlConnectionStringBuilder(connectionString) { InitialCatalog = name };
        await ServerProcess.MigrateAsync(address.ConnectionString, cancellationToken);
        return new SqlServerDatabase(this, address, cancellationToken);
    }

    public async Task DropAsync(string name)
    {
        await ExecuteAsync($"alter database {name} set single_user with rollback immediate", CancellationToken.None);
        await ExecuteAsync($"drop database {name}", CancellationToken.None);
    }

    public async Task<string> VersionAsync()
    {
        await using var connection = new SqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        return $"SQL Server {connection.ServerVersion}";
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        var unpooled = new SqlConnectionStringBuilder(connectionString) { Pooling = false };
        await using var connection = new SqlConnection(unpooled.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new SqlCommand(sql, connection) { CommandTimeout = 3600 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}

/// <summary>A SQL Server database; references run in the driver, because there is no pgbench for it.</summary>
internal sealed class SqlServerDatabase(SqlServer server, SqlConnectionStringBuilder address, CancellationToken cancellationToken)
    : BenchDatabase(address.ConnectionString, cancellationToken)
{
    /// <summary>The bytes of an id.</summary>
    private const string Id = "cast(1700000000000 + n / 10 as binary(6)) + 0x40008000 + cast(n as binary(6))";

    private const string Now = "declare @now datetime2(6) = sysutcdatetime();\n";

    private const string Created = "dateadd(microsecond, n % 1000000, dateadd(second, n / 1000000, dateadd(day, -1, @now)))";

    private static readonly string Payload =
        $$"""'{{Bodies.Plain[..^1]}},"id":"' + convert(varchar(32), {{Id}}, 2) + '","created_at":1700000000}'""";

    private static readonly RowSql Row = new(Id, "cast(N'noop' as varbinary(512))", Payload, $"datalength({Payload})", Created,
        "sysutcdatetime()", "dateadd(day, 7, @now)", $"cast(N'{TaskRow.Owner}' as varbinary(800))", "cast(0 as bit)", "cast(1 as bit)");

    public override string Tool => "SqlClient";

    protected override string EventsWait =>
        """
        select case when exists (
            select 1 from outbox_partitions s
            where s.published_to < (select top (1) o.id from outbox o where o.partition_id = s.id order by o.id desc)) then 1 else 0 end
        """;

    protected override string TasksWait =>
        "select case when exists (select 1 from ready where dispatch_at is not null) or exists (select 1 from running) then 1 else 0 end";

    public override Task TidyAsync(string table) => ExecuteAsync($"update statistics {table}");

    public override async Task<double> InsertPlainAsync(string payload, int clients, int rowsPerStatement, TimeSpan time)
    {
        await ExecuteAsync(
            """
            if object_id(N'bench_insert') is null
                create table bench_insert (id uniqueidentifier primary key nonclustered, payload nvarchar(max) not null,
                    created_at datetime2(6) not null)
            """);
        await ExecuteAsync("truncate table bench_insert");
        await SettleAsync();
        // The payload is sent with every statement, as it is with a request.
        var rows = string.Join(',', Enumerable.Repeat("(newid(), @payload, sysutcdatetime())", rowsPerStatement));
        return await RunClientsAsync($"insert into bench_insert (id, payload, created_at) values {rows}", payload, clients, (elapsed, _) =>
            elapsed < time);
    }

    public override async Task<double> ClaimPlainAsync(string payload, int waiting, int clients, int rowsPerStatement,
        int statementsPerClient)
    {
        await ExecuteAsync(
            """
            if object_id(N'bench_claim') is null
            begin
                create table bench_claim (id uniqueidentifier primary key nonclustered, state int not null, payload nvarchar(max) not null,
                    created_at datetime2(6) not null);
                create index ix_bench_claim on bench_claim (created_at, id) where state = 0;
            end
            """);
        await ExecuteAsync("truncate table bench_claim");
        await ExecuteAsync(
            $"{Now}insert into bench_claim (id, state, payload, created_at) select newid(), 0, N'{payload}', {Created} from "
                + $"({Numbers(1, waiting)}) as numbers");
        await TidyAsync("bench_claim");
        await SettleAsync();
        return await RunClientsAsync(
            $"""
            with due as (
                select top ({rowsPerStatement}) id, state, payload
                from bench_claim with (updlock, readpast, rowlock) where state = 0 order by created_at, id)
            update due set state = 1 output inserted.id, inserted.payload
            """,
            payload: null, clients, (_, done) => done < statementsPerClient);
    }

    public override async ValueTask DisposeAsync() => await server.DropAsync(address.InitialCatalog);

    protected override string InsertOf(TaskRow row, long first, long count) =>
        $"{Now}{row.Inserts(Row, $"({Numbers(first, count)}) as numbers")}";

    protected override DbConnection Connect() =>
        new SqlConnection(new SqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString);

    /// <summary>Generates numbers n; SQL Server 2019 has no function for it.</summary>
    private static string Numbers(long first, long count) =>
        $"select top ({count}) {first} - 1 + row_number() over (order by (select null)) as n from sys.all_columns a cross join "
            + "sys.all_columns b";

    /// <returns>Statements per second.</returns>
    private async Task<double> RunClientsAsync(string sql, string? payload, int clients, Func<TimeSpan, int, bool> goesOn)
    {
        var start = Stopwatch.GetTimestamp();
        var done = await Task.WhenAll(Enumerable.Range(0, clients)
            .Select(_ => Task.Run(() => RunClientAsync(sql, payload, start, goesOn))));
        return done.Sum() / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private async Task<int> RunClientAsync(string sql, string? payload, long start, Func<TimeSpan, int, bool> goesOn)
    {
        await using var connection = (SqlConnection)Connect();
        await connection.OpenAsync(Stop);
        await using var command = new SqlCommand(sql, connection);
        if (payload is not null)
            command.Parameters.AddWithValue("@payload", payload);
        var done = 0;
        for (; goesOn(Stopwatch.GetElapsedTime(start), done); done++)
        {
            await using var rows = await command.ExecuteReaderAsync(Stop);
            while (await rows.ReadAsync(Stop))
                _ = rows.GetValue(0);
        }

        return done;
    }
}
