using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.SqlServer.TransactSql.ScriptDom;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Storage.SqlServer;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary>The model and its migrations, without a server.</summary>
public sealed class ModelTests
{
    [Fact]
    public void The_migrations_create_the_whole_model()
    {
        using var db = Open();
        db.Database.HasPendingModelChanges().ShouldBeFalse();
        db.Database.GetMigrations().ShouldNotBeEmpty();
    }

    [Fact]
    public void The_migration_script_parses_as_SQL_Server()
    {
        using var script = new StringReader(Script());
        new TSql150Parser(initialQuotedIdentifiers: true).Parse(script, out var errors);
        errors.Select(e => $"{e.Line}:{e.Column} {e.Message}").ShouldBeEmpty();
    }

    [Theory]
    [InlineData("tasks")]
    [InlineData("ready")]
    [InlineData("running")]
    [InlineData("outcomes")]
    [InlineData("attempts")]
    [InlineData("outbox")]
    public void Row_locks_of_a_large_table_never_become_a_lock_of_the_table(string table) =>
        Script().ShouldContain($"alter table {table} set (lock_escalation = disable)");

    [Fact]
    public void It_has_every_index_of_PostgreSQL_with_the_same_columns()
    {
        using var db = Open();
        using var postgres = TestDatabase.CreateContext(DatabaseProvider.Postgres);
        Indexes(db).ShouldBe(Indexes(postgres));
    }

    [Fact]
    public void Times_and_ids_are_exact_and_no_text_has_the_collation_of_the_database()
    {
        using var db = Open();
        var columns = db.GetService<IDesignTimeModel>().Model.GetEntityTypes().SelectMany(e => e.GetProperties()).ToList();
        columns.Where(c => Nullable.GetUnderlyingType(c.ClrType) == typeof(DateTime) || c.ClrType == typeof(DateTime))
            .ShouldAllBe(c => c.GetColumnType() == "datetime2(6)");
        columns.Where(c => Nullable.GetUnderlyingType(c.ClrType) == typeof(Guid) || c.ClrType == typeof(Guid))
            .ShouldAllBe(c => c.GetColumnType() == "binary(16)");
        columns.Where(c => c.ClrType == typeof(string))
            .ShouldAllBe(c => c.GetColumnType() == "varbinary(800)" || c.GetCollation() == SqlServerTaskDbContext.Collation);
    }

    [Fact]
    public void Ids_sort_by_bytes_and_by_time()
    {
        var start = DateTimeOffset.Parse("2026-01-01T00:00:00Z", CultureInfo.InvariantCulture);
        var made = Enumerable.Range(0, 200).Select(ms => Guid.CreateVersion7(start.AddMilliseconds(ms))).ToList();
        made.OrderBy(id => Convert.ToHexString(id.ToByteArray(bigEndian: true)), StringComparer.Ordinal).ShouldBe(made);
        var any = Enumerable.Range(0, 200).Select(_ => Guid.NewGuid()).ToList();
        any.OrderBy(id => Convert.ToHexString(id.ToByteArray(bigEndian: true)), StringComparer.Ordinal).ShouldBe(any.Order());
        // What uniqueidentifier would make of them.
        made.OrderBy(id => new System.Data.SqlTypes.SqlGuid(id)).SequenceEqual(made).ShouldBeFalse();
    }

    [Fact]
    public void Every_query_by_id_compares_bytes()
    {
        using var db = Open();
        var after = Guid.CreateVersion7();
        var sql = db.Tasks.Where(t => t.CorrelationId > after && t.Owner == "alice ").OrderBy(t => t.CorrelationId).Select(t => t.State)
            .ToQueryString();
        sql.ShouldContain("[a].[id] > @");
        sql.ShouldContain("[a].[owner] = 0x61006C006900630065002000");
        sql.ShouldNotContain("uniqueidentifier");
    }

    private static List<string> Indexes(TaskDbContext db) =>
        [.. db.Model.GetEntityTypes().SelectMany(e => e.GetIndexes())
            .Select(i => $"{i.GetDatabaseName()} {i.IsUnique} {string.Join(",", i.Properties.Select(p => p.GetColumnName()))}")
            .Order(StringComparer.Ordinal)];

    private static string Script()
    {
        using var db = Open();
        return db.GetService<IMigrator>().GenerateScript(options: MigrationsSqlGenerationOptions.Idempotent);
    }

    private static TaskDbContext Open() => TestDatabase.CreateContext(DatabaseProvider.SqlServer);
}
