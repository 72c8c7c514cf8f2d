using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

public sealed class MigrationTests
{
    [Theory]
    [MemberData(nameof(TestDatabase.Providers), MemberType = typeof(TestDatabase))]
    public async Task A_second_migration_changes_nothing(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider, migrate: false);
        await using var engine = new TestEngine(database.Address);
        var migrator = engine.Services.GetRequiredService<DatabaseMigrator>();

        (await migrator.PendingAsync(CancellationToken.None)).ShouldNotBeEmpty();
        (await migrator.MigrateAsync(CancellationToken.None)).ShouldNotBeEmpty();
        var task = TestTasks.New();
        await engine.Store.InsertAsync([task]);

        (await migrator.PendingAsync(CancellationToken.None)).ShouldBeEmpty();
        (await migrator.MigrateAsync(CancellationToken.None)).ShouldBeEmpty();
        (await database.GetAsync(task.CorrelationId)).Describe().ShouldBe(task.Describe());
        (await engine.Services.GetRequiredService<QueueCatalog>().DeliveryOfAsync(BuiltInQueues.Tasks)).ShouldBe(Delivery.Push);
    }

    [Theory]
    [MemberData(nameof(TestDatabase.Providers), MemberType = typeof(TestDatabase))]
    public async Task A_database_with_a_different_migration_history_is_refused(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await using (var db = database.CreateContext())
            await db.Database.ExecuteSqlRawAsync("""update "__EFMigrationsHistory" set "MigrationId" = '20200101000000_Initial'""");
        var migrator = engine.Services.GetRequiredService<DatabaseMigrator>();

        (await Should.ThrowAsync<UnknownDatabaseException>(() => migrator.MigrateAsync(CancellationToken.None)))
            .Message.ShouldContain("empty database");
    }

    [Theory]
    [MemberData(nameof(TestDatabase.Providers), MemberType = typeof(TestDatabase))]
    public async Task The_migrations_produce_the_model(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var context = database.CreateContext();

        context.Database.HasPendingModelChanges().ShouldBeFalse("add a migration: dotnet ef migrations add …");
    }

    [Fact]
    public async Task Large_columns_are_compressed_with_LZ4()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var context = database.CreateContext();

        (await context.Database.SqlQueryRaw<string>(
            """
            select attrelid::regclass || '.' || attname as "Value" from pg_attribute where attcompression = 'l' order by 1
            """).ToListAsync()).ShouldBe(["file_chunks.data", "outcomes.result", "tasks.payload"]);
    }
}
