using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Indexes of large tables use CREATE INDEX CONCURRENTLY, which works as a migration.</summary>
public sealed class ConcurrentIndexTests
{
    [Fact]
    public async Task A_migration_makes_an_index_while_others_write_to_the_table()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres, migrate: false);
        await using var context = new LargeTableContext(new DbContextOptionsBuilder<LargeTableContext>()
            .UseNpgsql(database.ConnectionString).Options);
        await context.GetService<IMigrator>().MigrateAsync(TableMigration.Id);
        await using var writer = new NpgsqlConnection(database.ConnectionString);
        await writer.OpenAsync();
        await using var writing = await writer.BeginTransactionAsync();
        await ExecuteAsync(writer, "insert into large values (1)");

        var migrating = context.Database.MigrateAsync();
        await Eventually.UntilAsync(
            () => WaitsForTheWriterAsync(database), TimeSpan.FromSeconds(20), "the index waits for the open transaction");
        await using var other = new NpgsqlConnection(database.ConnectionString);
        await other.OpenAsync();
        await ExecuteAsync(other, "set lock_timeout = '5s'; insert into large values (2)"); // a plain CREATE INDEX would wait for this
        await writing.CommitAsync();
        await migrating;

        (await context.Database.GetAppliedMigrationsAsync()).ShouldBe([TableMigration.Id, IndexMigration.Id]);
        (await context.Database.SqlQueryRaw<bool>("select indisvalid as \"Value\" from pg_index where indexrelid = 'ix_large'::regclass")
            .SingleAsync()).ShouldBeTrue();
    }

    private static async Task<bool> WaitsForTheWriterAsync(TestDatabase database)
    {
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            "select exists (select from pg_stat_activity where datname = current_database() and query ilike 'create index%' and "
                + "wait_event_type = 'Lock')", connection);
        return await command.ExecuteScalarAsync() is true;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary>A database of one table.</summary>
internal sealed class LargeTableContext(DbContextOptions<LargeTableContext> options) : DbContext(options);

/// <summary>The table.</summary>
[DbContext(typeof(LargeTableContext))]
[Migration(Id)]
internal sealed class TableMigration : Migration
{
    public const string Id = "20260101000000_Table";

    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.CreateTable("large", t => new { id = t.Column<int>(nullable: false) });
}

/// <summary>Its index.</summary>
[DbContext(typeof(LargeTableContext))]
[Migration(Id)]
internal sealed class IndexMigration : Migration
{
    public const string Id = "20260101000001_Index";

    protected override void Up(MigrationBuilder migrationBuilder) =>
        migrationBuilder.CreateIndex("ix_large", "large", "id").Annotation("Npgsql:CreatedConcurrently", true);
}
