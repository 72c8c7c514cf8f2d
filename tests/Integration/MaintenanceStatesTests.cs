using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using Shouldly;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>The states of maintenance jobs in Hangfire's storage.</summary>
public sealed class MaintenanceStatesTests
{
    [Fact]
    public async Task Jobs_that_begin_and_end_at_the_same_time_all_record_it()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var services = new ServiceCollection().AddSingleton(_ => NpgsqlDataSource.Create(database.ConnectionString))
            .BuildServiceProvider();
        await new MaintenanceSchema(database.Address, services).PrepareAsync(CancellationToken.None);
        var options = new MaintenanceOptions();
        var states = new MaintenanceStates(MaintenanceStorage.Create(database.Address, options), Options.Create(options),
            TimeProvider.System);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(async () =>
        {
            for (var run = 0; run < 20; run++)
            {
                await using var begun = states.TryBegin($"job{n}", $"{n}").ShouldNotBeNull();
                begun.End(MaintenanceOutcomes.Succeeded, removed: run);
            }
        })));

        foreach (var n in Enumerable.Range(0, 8))
        {
            var state = states.Read($"job{n}");
            (state.Outcome, state.Removed).ShouldBe((MaintenanceOutcomes.Succeeded, 19));
        }
    }
}
