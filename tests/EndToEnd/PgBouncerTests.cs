using Npgsql;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>PostgreSQL behind PgBouncer in transaction mode.</summary>
public sealed class PgBouncerTests
{
    [Fact]
    public async Task Migrate_works_through_it()
    {
        var database = await TestServers.CreateDatabaseAsync();

        var (exitCode, output) = await RunAsync("migrate", await PgBouncer.BeforeAsync(database));
        exitCode.ShouldBe(0, output);
        (exitCode, output) = await RunAsync("migrate", await PgBouncer.BeforeAsync(database));
        exitCode.ShouldBe(0, output);

        await TestServers.DropDatabaseAsync(database);
    }

    [Fact]
    public async Task A_connection_string_without_its_setting_is_refused_with_a_line_that_names_it()
    {
        await using var database = await TestDatabase.CreateAsync(Storage.DatabaseProvider.Postgres);
        var pooled = new NpgsqlConnectionStringBuilder(await PgBouncer.BeforeAsync(database.ConnectionString)) { NoResetOnClose = false };

        var (exitCode, output) = await RunAsync("migrate", pooled.ConnectionString);

        exitCode.ShouldBe(1);
        output.ShouldContain("No Reset On Close=true");
    }

    private static Task<(int ExitCode, string Output)> RunAsync(string command, string database) =>
        TaskQueueProcess.RunAsync([command], new Dictionary<string, string> { ["ConnectionStrings__TaskQueue"] = database });
}

public sealed class TasksApiBehindPgBouncer(PooledStack stack) : TasksApiTests(stack), IClassFixture<PooledStack>;

public sealed class QueuesApiBehindPgBouncer(PooledStack stack) : QueuesApiTests(stack), IClassFixture<PooledStack>;

public sealed class BusBehindPgBouncer(PooledStack stack) : PushTests(stack), IClassFixture<PooledStack>;

public sealed class SchedulerBehindPgBouncer(PooledStack stack) : SchedulerChecks(stack), IClassFixture<PooledStack>;

public sealed class EventsBehindPgBouncer(PooledStack stack) : EventsApiTests(stack), IClassFixture<PooledStack>;

public sealed class MaintenanceBehindPgBouncer(PooledStack stack) : MaintenanceApiTests(stack), IClassFixture<PooledStack>;
