using System.Collections.Concurrent;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>One process per role with its own database and virtual host; each can be killed and restarted.</summary>
internal sealed class CrashCluster : IAsyncDisposable
{
    /// <summary>One process each.</summary>
    public static readonly string[] Roles = ["consumers", "scheduler", "api"];

    private static readonly Dictionary<string, string> NoSettings = [];

    private readonly ConcurrentDictionary<string, TaskQueueProcess> _processes = new();
    private readonly ConcurrentQueue<string> _history = new();
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly OwnServers? _servers;

    private CrashCluster(OwnServers? servers, TestDatabase database, string? rabbitMq, IReadOnlyDictionary<string, string>? settings)
    {
        _servers = servers;
        Database = database;
        RabbitMq = rabbitMq;
        _settings = settings ?? NoSettings;
    }

    public TestDatabase Database { get; }

    /// <summary>Null if a single process has all roles.</summary>
    public string? RabbitMq { get; }

    /// <summary>Output of the processes at warning level and above, killed ones first.</summary>
    public string Log =>
        string.Join('\n', _history.Concat(_processes.Values.SelectMany(Complaints)).TakeLast(60)
            .Select(l => l.Length > 600 ? l[..600] : l));

    public static async Task<CrashCluster> StartAsync(
        IReadOnlyDictionary<string, string>? settings = null, DatabaseProvider provider = DatabaseProvider.Postgres, params string[] roles)
    {
        var rabbitMq = provider == DatabaseProvider.Postgres ? await TestServers.CreateVirtualHostAsync() : null;
        var cluster = new CrashCluster(servers: null, await TestDatabase.CreateAsync(provider), rabbitMq, settings);
        await Task.WhenAll(roles.Select(role => cluster.StartAsync(role)));
        return cluster;
    }

    /// <summary>The same on servers that the tests may stop.</summary>
    public static async Task<CrashCluster> StartAsync(OwnServers servers, IReadOnlyDictionary<string, string> settings, string[] roles)
    {
        var cluster = new CrashCluster(servers, await TestDatabase.CreateAsync(servers), servers.RabbitMq, settings);
        await Task.WhenAll(roles.Select(role => cluster.StartAsync(role)));
        return cluster;
    }

    /// <summary>The queues of the broker.</summary>
    public Task<IReadOnlyList<QueueDepth>> QueueDepthsAsync() =>
        _servers is null ? TestServers.QueueDepthsAsync(RabbitMq!) : _servers.QueueDepthsAsync();

    public TaskQueueProcess Process(string role) => _processes[role];

    /// <summary>The address of a role, whether it is up or not.</summary>
    public Uri Address(string role) => new($"http://127.0.0.1:{_processes[role].Port}");

    /// <summary>kill -9, and a new process on the same port.</summary>
    public async Task RestartAsync(string role)
    {
        var port = _processes[role].Port;
        await KillAsync(role);
        await StartAsync(role, port);
    }

    public async Task KillAsync(string role)
    {
        var process = _processes[role];
        process.Kill();
        await ForgetAsync(role, process);
    }

    /// <summary>SIGTERM; returns the exit code.</summary>
    public async Task<int> TerminateAsync(string role, TimeSpan deadline)
    {
        var process = _processes[role];
        var exitCode = await process.TerminateAsync(deadline);
        await ForgetAsync(role, process);
        return exitCode;
    }

    /// <summary>SIGTERM, and a new process on the same port, with the cluster's settings or others.</summary>
    public async Task StopAndStartAsync(string role, TimeSpan grace, IReadOnlyDictionary<string, string>? settings = null)
    {
        var port = _processes[role].Port;
        var exitCode = await TerminateAsync(role, grace);
        if (exitCode != 0)
            throw new InvalidOperationException($"{role} exited with {exitCode}");
        await StartAsync(role, port, settings);
    }

    public async Task StartAsync(string role, int? port = null, IReadOnlyDictionary<string, string>? settings = null) =>
        _processes[role] = await TaskQueueProcess.StartAsync(role, Database.ConnectionString, RabbitMq, settings ?? _settings, port);

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes.Values)
            await process.DisposeAsync();
        await Database.DisposeAsync();
        if (RabbitMq is not null && _servers is null)
            await TestServers.DeleteVirtualHostAsync(RabbitMq);
    }

    private async Task ForgetAsync(string role, TaskQueueProcess process)
    {
        foreach (var line in Complaints(process))
            _history.Enqueue($"{role}: {line}");
        await process.DisposeAsync();
    }

    private static IEnumerable<string> Complaints(TaskQueueProcess process) =>
        process.Lines.Where(l => !l.Contains(" info: ", StringComparison.Ordinal));
}
