using Npgsql;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// The database or the broker is down, unresponsive, slow or full, under load: refused requests have Retry-After,
/// accepted tasks run once, no process is restarted, and none grows. Both scenarios run at the same time, since they mostly wait.
/// </summary>
public sealed class OutageTests : IAsyncLifetime
{
    private static readonly TimeSpan Away = TimeSpan.FromSeconds(30), Silent = TimeSpan.FromSeconds(15), Slow = TimeSpan.FromSeconds(8),
        Full = TimeSpan.FromSeconds(20);

    private OwnServers _servers = null!;
    private string _virtualHost = "";
    private TestDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _servers = await OwnServers.StartAsync();
        _virtualHost = await TestServers.CreateVirtualHostAsync();
        _database = await TestDatabase.CreateAsync(TaskQueue.Storage.DatabaseProvider.Postgres);
    }

    public async Task DisposeAsync()
    {
        await _servers.DisposeAsync();
        await TestServers.DeleteVirtualHostAsync(_virtualHost);
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Database_and_broker_outages_lose_no_task_leak_no_memory_and_restart_no_process()
    {
        var stories = Task.WhenAll(DatabaseStoryAsync(), BrokerStoryAsync());
        await Task.WhenAny(stories);
        stories.Exception.ShouldBeNull(); // which shows both
    }

    private async Task DatabaseStoryAsync()
    {
        var direct = await _servers.CreateDatabaseAsync("outage");
        await using var proxy = new SlowProxy(direct.Port);
        var through = new NpgsqlConnectionStringBuilder(direct.ConnectionString) { Port = proxy.Port, Pooling = true };
        await using var cluster = await OutageCluster.StartAsync(through.ConnectionString, direct.ConnectionString, _virtualHost);
        await cluster.ExplainedAsync(async () =>
        {
            await using var load = await OutageLoad.StartAsync(cluster.Address);
            await WarmUpAsync(cluster, load);
            var lines = cluster.Lines;

            await _servers.RunAsync("stop-postgres");
            await FloodAsync(Away, cluster, load);
            OutageApi.All.Select(d => d.Name).Except(load.Refusals.Keys).ShouldBeEmpty("APIs that never said 503");
            await _servers.RunAsync("start-postgres");
            await AcceptsAsync(load);
            await cluster.SaidAsync("database", lines, maxLines: 30);

            lines = cluster.Lines;
            proxy.Silence();
            await FloodAsync(Silent, cluster, load);
            proxy.Resume();
            proxy.Delay = TimeSpan.FromMilliseconds(400);
            await LastAsync(Slow, cluster);
            proxy.Delay = TimeSpan.Zero;
            await AcceptsAsync(load);
            await cluster.SaidAsync("database", lines, maxLines: 30);

            await EndAsync(cluster, load, []);
        });
    }

    private async Task BrokerStoryAsync()
    {
        await using var cluster = await OutageCluster.StartAsync(_database.ConnectionString, _database.ConnectionString, _servers.RabbitMq);
        await using var producer = await OutageProducer.StartAsync(new Uri(_servers.RabbitMq));
        await cluster.ExplainedAsync(async () =>
        {
            await using var load = await OutageLoad.StartAsync(cluster.Address);
            await WarmUpAsync(cluster, load);
            var lines = cluster.Lines;

            await _servers.RunAsync("stop-rabbitmq");
            await LastAsync(Away, cluster);
            await _servers.RunAsync("start-rabbitmq");
            await cluster.SaidAsync("broker", lines, maxLines: 60);

            lines = cluster.Lines;
            await _servers.RunAsync("block-rabbitmq");
            await LastAsync(Full, cluster);
            (await _servers.ManagementAsync("/api/nodes")).ShouldContain("\"disk_free_alarm\":true");
            (await _servers.ManagementAsync("/api/connections")).ShouldContain("\"state\":\"blocked\"");
            await _servers.RunAsync("unblock-rabbitmq");
            await cluster.SaidAsync("broker", lines, maxLines: 60);

            load.Refusals.ShouldBeEmpty(); // the database accepts everything meanwhile
            await EndAsync(cluster, load, await producer.EndAsync());
        });
    }

    private static async Task WarmUpAsync(OutageCluster cluster, OutageLoad load)
    {
        await Eventually.UntilAsync(() => Task.FromResult(load.Accepted.Count > 50), TimeSpan.FromSeconds(30), "the load is accepted");
        cluster.Weigh();
    }

    /// <summary>The outage lasts this long: the only fixed time here.</summary>
    private static async Task LastAsync(TimeSpan length, OutageCluster cluster)
    {
        await Task.Delay(length);
        cluster.HasNotGrown();
    }

    /// <summary>The same, while more is offered than may wait.</summary>
    private static async Task FloodAsync(TimeSpan length, OutageCluster cluster, OutageLoad load)
    {
        using var over = new CancellationTokenSource();
        load.Flood(callers: 80, over.Token);
        await LastAsync(length, cluster);
        await over.CancelAsync();
    }

    private static async Task AcceptsAsync(OutageLoad load)
    {
        var before = load.Accepted.Count;
        await Eventually.UntilAsync(
            () => Task.FromResult(load.Accepted.Count > before + 20), TimeSpan.FromSeconds(30), "tasks are accepted again");
    }

    private static async Task EndAsync(OutageCluster cluster, OutageLoad load, IReadOnlyCollection<Guid> sent)
    {
        await load.EndAsync();
        await cluster.IsDoneAsync([.. load.Accepted, .. sent]);
        cluster.HasNotGrown();
        load.Slowest.ShouldBeLessThan(OutageLoad.Patience);
    }
}
