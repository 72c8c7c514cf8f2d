using Shouldly;
using TaskQueue.Engine.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>SIGTERM, as in a deployment: a process ends in time with exit code 0, whatever it does and whatever is away.</summary>
[Collection(CrashCollection.Name)]
public sealed class CrashStopTests
{
    /// <summary>Well within the 30 seconds that Kubernetes gives.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private static readonly Dictionary<string, string> SlowWork = new() { ["TaskQueue:Actions:SimulatedWorkMs"] = "20" };

    [Fact]
    public async Task Each_role_ends_in_time_under_load_and_nothing_is_lost()
    {
        await using var cluster = await CrashCluster.StartAsync(SlowWork, roles: CrashCluster.Roles);
        using var producer = new CrashProducer(() => cluster.Address("api"));
        await cluster.ExplainedAsync(async () =>
        {
            foreach (var role in CrashCluster.Roles)
            {
                var before = producer.Count;
                var posting = producer.PostAsync(1000);
                await producer.ReachAsync(before + 500);
                await cluster.StopAndStartAsync(role, Grace);
                await posting;
            }
        });

        await cluster.AllCompletedOnceAsync(producer);
    }

    [Fact]
    public async Task The_all_in_one_on_sqlite_ends_in_time_under_load_and_nothing_is_lost()
    {
        const string all = "api,scheduler,consumers";
        await using var cluster = await CrashCluster.StartAsync(SlowWork, DatabaseProvider.Sqlite, all);
        using var producer = new CrashProducer(() => cluster.Address(all));
        await cluster.ExplainedAsync(async () =>
        {
            var posting = producer.PostAsync(1000);
            await producer.ReachAsync(500);
            await cluster.StopAndStartAsync(all, Grace);
            await posting;
        });

        await cluster.AllCompletedOnceAsync(producer);
    }

    [Fact]
    public async Task Each_role_ends_in_time_while_the_broker_and_the_database_are_away()
    {
        await using var cluster = await CrashCluster.StartAsync(SlowWork, roles: CrashCluster.Roles);
        using var producer = new CrashProducer(() => cluster.Address("api"));
        await producer.PostAsync(1000);
        await TestServers.ServersAsync("stop-rabbitmq", "kill");
        try
        {
            await cluster.ExplainedAsync(async () => (await cluster.TerminateAsync("consumers", Grace)).ShouldBe(0));
            await TestServers.ServersAsync("stop-postgres", "immediate");
            await cluster.ExplainedAsync(async () => (await cluster.TerminateAsync("scheduler", Grace)).ShouldBe(0));
            await cluster.ExplainedAsync(async () => (await cluster.TerminateAsync("api", Grace)).ShouldBe(0));
        }
        finally
        {
            await TestServers.ServersAsync("start-postgres");
            Npgsql.NpgsqlConnection.ClearAllPools(); // this process's own connections broke as well
            await TestServers.ServersAsync("start-rabbitmq");
        }

        await Task.WhenAll(CrashCluster.Roles.Select(role => cluster.StartAsync(role)));
        await cluster.AllCompletedOnceAsync(producer);
    }

    [Fact]
    public async Task Consumers_that_end_while_the_database_is_away_give_their_reports_back()
    {
        await using var cluster = await CrashCluster.StartAsync(SlowWork, roles: CrashCluster.Roles);
        using var producer = new CrashProducer(() => cluster.Address("api"));
        await producer.PostAsync(1000);
        await TestServers.ServersAsync("stop-postgres", "immediate");
        try
        {
            // What was dispatched before runs without the database; its reports wait for it.
            await Eventually.UntilAsync(
                async () => (await TestServers.QueueDepthsAsync(cluster.RabbitMq!)).Any(q => q is { Name: "taskqueue-report", Messages: > 0 }),
                TimeSpan.FromSeconds(10), "reports wait");
            await cluster.ExplainedAsync(async () => (await cluster.TerminateAsync("consumers", Grace)).ShouldBe(0));
        }
        finally
        {
            await TestServers.ServersAsync("start-postgres");
            Npgsql.NpgsqlConnection.ClearAllPools();
        }

        await cluster.StartAsync("consumers");
        await cluster.AllCompletedOnceAsync(producer);
    }
}
