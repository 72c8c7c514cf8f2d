using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>
/// The previous version keeps running beside a migration, so a migration only adds: what the older one reads and writes stays,
/// and no growing table is locked for long.
/// </summary>
public sealed class ExpandOnlyTests
{
    private static readonly string[] LargeTables = ["tasks", "ready", "running", "outcomes", "outbox"];

    [Fact]
    public void Each_migration_on_postgresql_only_adds_and_locks_no_large_table_for_long() => OnlyAdds(DatabaseProvider.Postgres);

    [Fact]
    public void Each_migration_on_sql_server_only_adds() => OnlyAdds(DatabaseProvider.SqlServer);

    [Theory]
    [MemberData(nameof(Examples))]
    public void Migrations_that_would_break_the_previous_version_are_detected(MigrationOperation operation, bool breaks) =>
        Breaks(operation, []).ShouldBe(breaks);

    public static TheoryData<MigrationOperation, bool> Examples => new()
    {
        { new DropColumnOperation { Table = "tasks", Name = "x" }, true },
        { new RenameColumnOperation { Table = "tasks", Name = "x", NewName = "y" }, true },
        { new DropTableOperation { Name = "tasks" }, true },
        { new SqlOperation { Sql = "select 1" }, true },
        { new AddColumnOperation { Table = "tasks", Name = "x", ClrType = typeof(int) }, true },
        { new AddColumnOperation { Table = "tasks", Name = "x", ClrType = typeof(int), IsNullable = true }, false },
        { new AddColumnOperation { Table = "tasks", Name = "x", ClrType = typeof(int), DefaultValue = 0 }, false },
        { new AlterColumnOperation { Table = "tasks", Name = "x", MaxLength = 64,
            OldColumn = new AddColumnOperation { MaxLength = 128 } }, true },
        { new AlterColumnOperation { Table = "tasks", Name = "x", MaxLength = 128,
            OldColumn = new AddColumnOperation { MaxLength = 64 } }, false },
        { new AlterColumnOperation { Table = "tasks", Name = "x", OldColumn = new AddColumnOperation { IsNullable = true } }, true },
        { new CreateIndexOperation { Table = "tasks", Name = "x" }, true },
        { new CreateIndexOperation { Table = "tasks", Name = "x", IsUnique = true, ["Npgsql:CreatedConcurrently"] = true }, true },
        { new CreateIndexOperation { Table = "tasks", Name = "x", ["Npgsql:CreatedConcurrently"] = true }, false },
        { new CreateIndexOperation { Table = "schedules", Name = "x" }, false },
        { new CreateTableOperation { Name = "x" }, false },
    };

    private static void OnlyAdds(DatabaseProvider provider)
    {
        using var context = TestDatabase.CreateContext(provider);
        var migrations = context.GetService<IMigrationsAssembly>();
        var first = migrations.Migrations.Keys.Min(StringComparer.Ordinal);

        var found = migrations.Migrations.Where(m => m.Key != first)
            .SelectMany(m =>
                Breaks(migrations.CreateMigration(m.Value, context.Database.ProviderName!))
                    .Select(b => $"{m.Key[(m.Key.IndexOf('_', StringComparison.Ordinal) + 1)..]}: {b}"));

        found.ShouldBeEmpty("see Migrations in CONTRIBUTING.md");
    }

    private static IEnumerable<string> Breaks(Migration migration)
    {
        string[] made = [.. migration.UpOperations.OfType<CreateTableOperation>().Select(t => t.Name)];
        return migration.UpOperations.Where(o => Breaks(o, made)).Select(Describe);
    }

    /// <summary>Any operation not known to be harmless is a breaking change.</summary>
    private static bool Breaks(MigrationOperation operation, string[] made) => operation switch
    {
        CreateTableOperation or InsertDataOperation or UpdateDataOperation or CreateSequenceOperation => false,
        AddColumnOperation column => column is { IsNullable: false, DefaultValue: null, DefaultValueSql: null, ComputedColumnSql: null },
        AlterColumnOperation column => Narrows(column),
        CreateIndexOperation index when made.Contains(index.Table) => false,
        CreateIndexOperation index =>
            index.IsUnique || (LargeTables.Contains(index.Table) && index["Npgsql:CreatedConcurrently"] is not true),
        _ => true,
    };

    private static bool Narrows(AlterColumnOperation column) =>
        (column.OldColumn.IsNullable && !column.IsNullable)
        || column.MaxLength < (column.OldColumn.MaxLength ?? int.MaxValue)
        || (column.MaxLength is null && column.ColumnType != column.OldColumn.ColumnType);

    private static string Describe(MigrationOperation operation) => operation switch
    {
        CreateIndexOperation o => $"CreateIndex {o.Table}.{o.Name}",
        DropIndexOperation o => $"DropIndex {o.Table}.{o.Name}",
        SqlOperation o => $"Sql {o.Sql}",
        ITableMigrationOperation o => $"{operation.GetType().Name.Replace("Operation", "", StringComparison.Ordinal)} {o.Table}",
        _ => operation.GetType().Name,
    };
}
