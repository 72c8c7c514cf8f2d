using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>SIGTERM, as in a deployment: a process ends in time with exit code 0, whatever it does and whatever is away.</summary>
[Collection(CrashCollection.Name)]
public sealed class CrashStopTests(CrashFixture fixture)
{
    /// <summary>Well within the 30 seconds that Kubernetes gives.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private static readonly Dictionary<string, string> SlowWork = new() { ["TaskQueue:Actions:SimulatedWorkMs"] = "10" };

    private CrashCluster Cluster => fixture.Cluster;

    [Fact]
    public async Task The_all_in_one_on_sqlite_ends_in_time_under_load_and_nothing_is_lost()
    {
        const string all = "api,scheduler,consumers";
        await using var cluster = await CrashCluster.StartAsync(SlowWork, DatabaseProvider.Sqlite, all);
        using var producer = new CrashProducer(() => cluster.Address(all));

        await cluster.ExplainedAsync(() => StopInTheMiddleAsync(cluster, producer, all));

        await cluster.AllCompletedOnceAsync(producer);
    }

    [Fact]
    public async Task Each_role_ends_in_time_while_the_database_or_the_broker_is_away()
    {
        using var producer = new CrashProducer(() => Cluster.Address("api"));
        await producer.PostAsync(1000);
        await fixture.Servers.RunAsync("stop-postgres", "immediate");
        try
        {
            // What was dispatched runs without the database; its reports wait for it and go back to the broker.
            await Eventually.UntilAsync(
                async () => (await Cluster.QueueDepthsAsync()).Any(q => q is { Name: "taskqueue-report", Messages: > 0 }),
                TimeSpan.FromSeconds(10), "reports wait");
            await ExpectCleanEndAsync("consumers");
            await fixture.Servers.RunAsync("stop-rabbitmq", "kill");
            await ExpectCleanEndAsync("scheduler");
        }
        finally
        {
            await fixture.Servers.RunAsync("start-postgres");
            Cluster.Database.ClearConnections(); // this process's own connections broke as well
        }

        await ExpectCleanEndAsync("api");
        // The broker may come last: a process that starts without it is ready once it is there.
        var starting = Task.WhenAll(CrashCluster.Roles.Select(role => Cluster.StartAsync(role)));
        await fixture.Servers.RunAsync("start-rabbitmq");
        await starting;
        await Cluster.AllCompletedOnceAsync(producer);
        await Cluster.AllAnnouncedAsync(producer, fixture.Subscriber);
    }

    private static async Task StopInTheMiddleAsync(CrashCluster cluster, CrashProducer producer, string role)
    {
        var before = producer.Count;
        var posting = producer.PostAsync(1000);
        await producer.ReachAsync(before + 500);
        await cluster.StopAndStartAsync(role, Grace);
        await posting;
    }

    private Task ExpectCleanEndAsync(string role) =>
        Cluster.ExplainedAsync(async () => (await Cluster.TerminateAsync(role, Grace)).ShouldBe(0, role));
}
