using Shouldly;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Nothing that was accepted is lost or done twice, whichever process or server dies.</summary>
[Collection(CrashCollection.Name)]
public sealed class CrashTests(CrashFixture fixture)
{
    private const int Total = 5000;

    private static readonly Dictionary<string, string> SlowWork = new() { ["TaskQueue:Actions:SimulatedWorkMs"] = "5" };

    private CrashCluster Cluster => fixture.Cluster;

    [Fact]
    public async Task Kill_9_of_each_role_twice_loses_no_task_or_event()
    {
        using var producer = new CrashProducer(() => Cluster.Address("api"));

        await FlowAsync(producer, Total, ["api", "consumers", "scheduler", "consumers", "api", "scheduler"], Cluster.RestartAsync);

        await Cluster.AllCompletedOnceAsync(producer);
        await Cluster.AllAnnouncedAsync(producer, fixture.Subscriber);
    }

    [Fact]
    public async Task Kill_9_of_RabbitMQ_twice_loses_no_task_or_event()
    {
        using var producer = new CrashProducer(() => Cluster.Address("api"));

        await FlowAsync(producer, Total, ["rabbitmq", "rabbitmq"], async _ =>
        {
            await fixture.Servers.RunAsync("stop-rabbitmq", "kill");
            await fixture.Servers.RunAsync("start-rabbitmq");
        });

        await Cluster.AllCompletedOnceAsync(producer);
        await Cluster.AllAnnouncedAsync(producer, fixture.Subscriber);
    }

    [Fact]
    public async Task Stopping_PostgreSQL_immediately_twice_loses_no_task_or_event()
    {
        using var producer = new CrashProducer(() => Cluster.Address("api"));

        await FlowAsync(producer, Total, ["postgres", "postgres"], async _ =>
        {
            await fixture.Servers.RunAsync("stop-postgres", "immediate");
            await fixture.Servers.RunAsync("start-postgres");
            Cluster.Database.ClearConnections(); // this process's own connections broke too
        });

        await Cluster.AllCompletedOnceAsync(producer);
        await Cluster.AllAnnouncedAsync(producer, fixture.Subscriber);
    }

    [Fact]
    public async Task Kill_9_of_the_all_in_one_on_sqlite_three_times_loses_no_task()
    {
        const string all = "api,scheduler,consumers";
        await using var cluster = await CrashCluster.StartAsync(SlowWork, DatabaseProvider.Sqlite, all);
        using var producer = new CrashProducer(() => cluster.Address(all));

        await FlowAsync(producer, 2000, [all, all, all], cluster.RestartAsync);

        await cluster.AllCompletedOnceAsync(producer);
    }

    /// <summary>Posts tasks in as many portions as there are kills; each kill happens in the middle of its portion.</summary>
    private static async Task FlowAsync(CrashProducer producer, int total, IReadOnlyList<string> blows, Func<string, Task> strikeAsync)
    {
        var portion = (total + blows.Count - 1) / blows.Count;
        foreach (var blow in blows)
        {
            var before = producer.Count;
            var posting = producer.PostAsync(portion);
            await producer.ReachAsync(before + (portion / 2));
            await strikeAsync(blow);
            await posting;
        }

        producer.Count.ShouldBeGreaterThanOrEqualTo(total);
    }
}
