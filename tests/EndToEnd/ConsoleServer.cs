using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using TaskQueue.WebConsole.Files;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A server with keys and with a small bundle of the console.</summary>
public sealed class ConsoleServer : IAsyncLifetime
{
    private readonly List<IAsyncDisposable> _others = [];
    private TestDatabase _database = null!;

    internal TestHost Host { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        Host = await StartAsync(_database, KeyServer.Settings());
    }

    public async Task DisposeAsync()
    {
        foreach (var other in _others)
            await other.DisposeAsync();
        await Host.DisposeAsync();
        await _database.DisposeAsync();
    }

    internal ConsoleBrowser Browser() => new(Host.Http.BaseAddress!);

    internal async Task<ConsoleBrowser> SignedInAsync(string key)
    {
        var browser = Browser();
        var reply = await browser.SignInAsync(key);
        return reply.Status == 200 ? browser : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    /// <summary>Another server with its own database.</summary>
    internal async Task<TestHost> StartAsync(Dictionary<string, string?> settings)
    {
        var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var host = await StartAsync(database, settings);
        _others.AddRange([host, database]);
        return host;
    }

    /// <summary>Settings with encryption at rest, which lets processes share sessions.</summary>
    internal static Dictionary<string, string?> Encrypted() => new(KeyServer.Settings())
    {
        ["TaskQueue:Encryption:ActiveKeyId"] = "k1",
        ["TaskQueue:Encryption:Keys:0:Id"] = "k1",
        ["TaskQueue:Encryption:Keys:0:Key"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
    };

    internal static Task<TestHost> StartAsync(TestDatabase database, Dictionary<string, string?> settings, string? rabbitMq = null) =>
        TestHost.StartAsync(database.ConnectionString, rabbitMq, settings: settings,
            services: services => services.AddSingleton<IConsoleBundle, SmallBundle>());
}

/// <summary>A bundle such as Vite builds.</summary>
internal sealed class SmallBundle : IConsoleBundle
{
    public const string Page = """<!doctype html><html><head><script type="module" src="./assets/index-1a2b.js"></script>"""
        + """<link rel="stylesheet" href="./assets/index-1a2b.css"></head><body><div id="app"></div></body></html>""";

    public static readonly string Script = string.Concat(Enumerable.Repeat("console.log('queues');\n", 20));

    private static readonly Dictionary<string, string> Files = new()
    {
        ["index.html"] = Page, ["assets/index-1a2b.js"] = Script, ["assets/index-1a2b.css"] = "body{margin:0}", ["icon.svg"] = "<svg/>",
    };

    public IEnumerable<string> Paths => Files.Keys;

    public byte[] Read(string path) => Encoding.UTF8.GetBytes(Files[path]);
}
