using TaskQueue.Storage;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Two processes per role, the api ones behind a proxy; each can be replaced by a new one as a deployment does.</summary>
internal sealed class RollingCluster : IAsyncDisposable
{
    private static readonly string[] Roles = ["consumers", "consumers", "scheduler", "scheduler", "api", "api"];
    private static readonly TimeSpan ExitDeadline = TimeSpan.FromSeconds(60);

    private readonly List<(string Role, TaskQueueProcess Process)> _running = [];
    private readonly List<(string Role, TaskQueueProcess Process)> _gone = [];

    private RollingCluster(TestDatabase database, string rabbitMq, ServiceProxy proxy) =>
        (Database, RabbitMq, Proxy) = (database, rabbitMq, proxy);

    public TestDatabase Database { get; }

    public string RabbitMq { get; }

    public ServiceProxy Proxy { get; }

    /// <summary>The output of all processes, including stopped ones.</summary>
    public IEnumerable<string> Lines =>
        _gone.Concat(_running).SelectMany(p => p.Process.Lines.Select(line => $"{p.Role} {p.Process.Port}: {line}"));

    public static async Task<RollingCluster> StartAsync()
    {
        var cluster = new RollingCluster(
            await TestDatabase.CreateAsync(DatabaseProvider.Postgres), await TestServers.CreateVirtualHostAsync(),
            await ServiceProxy.StartAsync());
        foreach (var started in await Task.WhenAll(Roles.Select(cluster.StartAsync)))
            cluster.Add(started);
        return cluster;
    }

    /// <summary>Replaces every process, one after the other: the new one is ready before the old one is told to stop.</summary>
    /// <returns>The exit codes.</returns>
    public async Task<List<int>> ReplaceAllAsync()
    {
        var exits = new List<int>();
        var next = StartAsync(Roles[0]);
        foreach (var (i, old) in _running.ToList().Index())
        {
            Add(await next);
            if (i + 1 < Roles.Length)
                next = StartAsync(Roles[i + 1]);
            exits.Add(await old.Process.TerminateAsync(ExitDeadline));
            _running.Remove(old);
            _gone.Add(old);
            Proxy.Remove(old.Process.Http.BaseAddress!);
        }

        return exits;
    }

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        foreach (var (_, process) in _running.Concat(_gone))
            await process.DisposeAsync();
        await Database.DisposeAsync();
        await TestServers.DeleteVirtualHostAsync(RabbitMq);
    }

    private async Task<(string Role, TaskQueueProcess Process)> StartAsync(string role) =>
        (role, await TaskQueueProcess.StartAsync(role, Database.ConnectionString, RabbitMq, new Dictionary<string, string>
        {
            ["TaskQueue:Drain:AnnounceSeconds"] = role == "api" ? "4" : "0",
            ["TaskQueue:Drain:GraceSeconds"] = "8",
            // Slower than the producers, so that work is running when a process is told to stop.
            ["TaskQueue:Actions:SimulatedWorkMs"] = "20",
        }));

    private void Add((string Role, TaskQueueProcess Process) started)
    {
        _running.Add(started);
        if (started.Role == "api")
            Proxy.Add(started.Process.Http.BaseAddress!);
    }
}
