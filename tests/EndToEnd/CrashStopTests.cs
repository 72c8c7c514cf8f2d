using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>SIGTERM, as in a deployment: a process exits in time with code 0, whatever it does and whichever dependency is down.</summary>
[Collection(CrashCollection.Name)]
public sealed class CrashStopTests(CrashFixture fixture)
{
    /// <summary>Well within the 30 seconds that Kubernetes gives.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(15);

    private static readonly Dictionary<string, string> SlowWork = new() { ["TaskQueue:Actions:SimulatedWorkMs"] = "10" };

    /// <summary>A thousand tasks of a second: some run whenever the database stops.</summary>
    private static readonly Dictionary<string, string> SlowerWork = new() { ["TaskQueue:Actions:SimulatedWorkMs"] = "1000" };

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
    public async Task Each_role_stops_in_time_during_a_database_or_broker_outage()
    {
        using var producer = new CrashProducer(() => Cluster.Address("api"));
        await Cluster.StopAndStartAsync("consumers", Grace, SlowerWork);
        await producer.PostAsync(1000);
        await Eventually.UntilAsync(RunsAsync, TimeSpan.FromSeconds(10), "a task runs");
        await fixture.Servers.RunAsync("stop-postgres", "immediate");
        try
        {
            // Running work ends without the database; its outcome is lost with the process, and the broker still has the task.
            await ExpectCleanEndAsync("consumers");
            await Eventually.UntilAsync(
                async () => (await Cluster.QueueDepthsAsync()).Any(q => q is { Name: "tasks", Messages: > 0 }),
                TimeSpan.FromSeconds(10), "the broker has what did not end");
            await fixture.Servers.RunAsync("stop-rabbitmq", "kill");
            await ExpectCleanEndAsync("scheduler");
        }
        finally
        {
            await fixture.Servers.RunAsync("start-postgres");
            Cluster.Database.ClearConnections(); // this process's own connections broke too
        }

        await ExpectCleanEndAsync("api");
        // The broker may start last: a process that starts without it becomes ready once it is up.
        var starting = Task.WhenAll(CrashCluster.Roles.Select(role => Cluster.StartAsync(role)));
        await fixture.Servers.RunAsync("start-rabbitmq");
        await starting;
        await Cluster.AllCompletedOnceAsync(producer);
        await Cluster.AllAnnouncedAsync(producer, fixture.Subscriber);
    }

    private async Task<bool> RunsAsync()
    {
        await using var db = Cluster.Database.CreateContext();
        return await db.Tasks.AnyAsync(t => t.State == TaskStates.Running);
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
