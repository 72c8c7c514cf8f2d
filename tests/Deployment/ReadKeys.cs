using System.Collections.Concurrent;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Api.Hosting;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Deployment;

/// <summary>Configuration that records which keys are read. A key that is never read is misspelt or not a setting of the program.</summary>
internal sealed class ReadKeys : ConfigurationProvider, IConfigurationSource
{
    private readonly ConcurrentDictionary<string, bool> _read = new(StringComparer.OrdinalIgnoreCase);

    private ReadKeys(IEnumerable<KeyValuePair<string, string?>> settings) => Data = settings.ToDictionary(StringComparer.OrdinalIgnoreCase);

    public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

    public override bool TryGet(string key, out string? value)
    {
        _read[key] = true;
        return base.TryGet(key, out value);
    }

    /// <summary>
    /// Starts a server with all roles on settings in environment variable form, and returns the settings that it did not read.
    /// </summary>
    public static async Task<IReadOnlyList<string>> UnreadAsync(IEnumerable<KeyValuePair<string, string>> environment)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var given = environment.Select(v => KeyValuePair.Create(v.Key.Replace("__", ":", StringComparison.Ordinal), (string?)v.Value))
            .ToDictionary();
        var here = Here(database.ConnectionString);
        var settings = new ReadKeys(given.Where(s => !here.ContainsKey(s.Key)).Concat(here));
        await using var app = Server.Build(new ServerOptions(null, "http://127.0.0.1:0"), builder =>
            ((IConfigurationBuilder)builder.Configuration).Add(settings));
        await StartupChecks.RunAsync(app.Services, CancellationToken.None);
        await app.StartAsync();
        using var http = new HttpClient
        {
            BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()),
        };
        await Eventually.UntilAsync(
            async () => (await http.GetAsync("/health/ready")).IsSuccessStatusCode, TimeSpan.FromSeconds(30), "the server is ready");
        await app.StopAsync();
        return [.. given.Keys.Where(k => !settings._read.ContainsKey(k)).Order(StringComparer.Ordinal)];
    }

    /// <summary>Settings that this machine cannot satisfy.</summary>
    private static Dictionary<string, string?> Here(string database) => new()
    {
        ["ConnectionStrings:TaskQueue"] = database,
        ["ConnectionStrings:RabbitMq"] = "",
        ["TaskQueue:Auth:KeysFile"] = Repository.FileAt("deploy", "compose", "keys.json"),
        ["TaskQueue:Operations:Urls"] = $"http://127.0.0.1:{TaskQueueProcess.FreePort()}",
        ["TaskQueue:Drain:AnnounceSeconds"] = "0",
        ["TaskQueue:Drain:GraceSeconds"] = "1",
        ["Logging:LogLevel:Default"] = "Error",
    };
}
