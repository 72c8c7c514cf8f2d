using System.Net.Http.Headers;
using Microsoft.Playwright;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A server with the built console, some work in it, and a browser.</summary>
public sealed partial class ConsoleSite : IAsyncLifetime
{
    internal const string Key = KeyServer.Boss;

    private readonly ConsoleChromium _chromium = new();
    private TestDatabase _database = null!;
    private string _signedIn = "";

    internal TestHost Host { get; private set; } = null!;

    /// <summary>Where callbacks go.</summary>
    internal TestReceiver Receiver { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        Receiver = await TestReceiver.StartAsync();
        Host = await TestHost.StartAsync(_database.ConnectionString, settings: new Dictionary<string, string?>(KeyServer.Settings())
        {
            ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true", ["TaskQueue:Maintenance:PollSeconds"] = "1",
            ["TaskQueue:Workers:LostAfterSeconds"] = "3600", // its workers are silent after the start
        });
        await Task.WhenAll(SeedAsync(), _chromium.InitializeAsync());
        await using var tab = await TabAsync(signedIn: false);
        await tab.SignInAsync(Key);
        _signedIn = await tab.Page.Context.StorageStateAsync();
    }

    public async Task DisposeAsync()
    {
        await _chromium.DisposeAsync();
        await Host.DisposeAsync();
        await Receiver.DisposeAsync();
        await _database.DisposeAsync();
    }

    /// <summary>A tab of a caller who is signed in already.</summary>
    internal Task<ConsoleTab> TabAsync(BrowserNewContextOptions? options = null, bool signedIn = true)
    {
        options ??= new BrowserNewContextOptions();
        options.StorageState = signedIn ? _signedIn : null;
        return _chromium.TabAsync(Host.Http.BaseAddress!, options);
    }

    internal async Task<Reply> CallAsync(string method, string path, object? body = null, string key = Key)
    {
        var reply = await KeyServer.CallAsync(Host.Http, key, method, path, body);
        return reply.Status < 300 ? reply : throw new InvalidOperationException($"{method} {path}: {reply.Status} {reply.Text}");
    }

    internal async Task<int> StatusAsync(string method, string path, string key = Key) =>
        (await KeyServer.CallAsync(Host.Http, key, method, path)).Status;

    internal async Task<Guid> SubmitAsync(string queue, string action = "x") =>
        (await CallAsync("POST", "/tasks", new { queue, action })).Json.Id();

    private async Task<Reply> SendAsync(HttpRequestMessage request)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        using var response = await Host.Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? new Reply((int)response.StatusCode, null, text)
            : throw new InvalidOperationException($"{request.RequestUri}: {(int)response.StatusCode} {text}");
    }
}
