using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SqlServer.TransactSql.ScriptDom;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Engine;
using TaskQueue.Storage;
using TaskQueue.Storage.SqlServer;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Settings of the database that the program demands at start.</summary>
public sealed class MissingSettingsTests
{
    [Fact]
    public void SQL_Server_must_show_readers_row_versions()
    {
        var sql = new SqlServerProvider().MissingSettingsSql;
        using var text = new StringReader(sql);
        new TSql150Parser(initialQuotedIdentifiers: true).Parse(text, out var errors);

        errors.ShouldBeEmpty();
        sql.ShouldContain("is_read_committed_snapshot_on = 0");
        sql.ShouldContain("SET READ_COMMITTED_SNAPSHOT ON");
    }

    [Fact]
    public async Task A_database_that_lacks_a_setting_is_refused_in_one_line_that_says_what_to_run()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = new TestEngine(database.Address);
        var address = new DatabaseAddress(DatabaseProvider.SqlServer, "Server=db;Database=tasks");
        var migrator = new DatabaseMigrator(
            engine.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>(), address, new Lacking("select 'ALTER X' as Value"));

        var refusal = await Should.ThrowAsync<StartupException>(
            () => StartupChecks.DemandSettingsAsync(address, migrator, CancellationToken.None));
        refusal.Message.ShouldBe("SQL Server db/tasks lacks a setting; while nobody uses it, run: ALTER X");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("select 'ALTER X' as Value where 0 = 1")]
    public async Task A_database_that_lacks_nothing_is_accepted(string? sql)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = new TestEngine(database.Address);
        var migrator = new DatabaseMigrator(
            engine.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>(), database.Address, new Lacking(sql));

        await StartupChecks.DemandSettingsAsync(database.Address, migrator, CancellationToken.None);
    }

    private sealed class Lacking(string? sql) : IStorageProvider
    {
        public DatabaseProvider Provider => DatabaseProvider.SqlServer;

        public string? MissingSettingsSql => sql;

        public string? TimeExpression => null;

        public string? ServerExpression => null;

        public string Describe(string connectionString) => throw new NotSupportedException();

        public void AddStorage(IServiceCollection services, string connectionString) => throw new NotSupportedException();

        public string WithLimits(string connectionString) => throw new NotSupportedException();

        public DbConnection Connect(string connectionString, int seconds) => throw new NotSupportedException();

        public bool IsMissing(DbException fault) => false;
    }
}
