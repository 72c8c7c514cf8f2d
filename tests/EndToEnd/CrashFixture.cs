using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// These tests kill processes and servers of their own, one test after the other, while nothing
/// else runs: their timings assume an idle machine.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CrashCollection : ICollectionFixture<CrashFixture>
{
    public const string Name = "crash";
}

/// <summary>
/// One process per role on separate servers, and a subscriber. The tests run one after another; each leaves all of it up and idle.
/// </summary>
public sealed class CrashFixture : IAsyncLifetime
{
    /// <summary>Slower than the producers, so that work is running when something dies.</summary>
    private static readonly Dictionary<string, string> Settings = new() { ["TaskQueue:Actions:SimulatedWorkMs"] = "10" };

    internal OwnServers Servers { get; private set; } = null!;

    internal CrashCluster Cluster { get; private set; } = null!;

    internal CrashSubscriber Subscriber { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Servers = await OwnServers.StartAsync();
        Cluster = await CrashCluster.StartAsync(Servers, Settings, CrashCluster.Roles);
        Subscriber = await CrashSubscriber.StartAsync(Cluster.RabbitMq!);
    }

    public async Task DisposeAsync()
    {
        await Subscriber.DisposeAsync();
        await Cluster.DisposeAsync();
        await Servers.DisposeAsync();
    }
}
