using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// A server with the configured keys of an operator, tenant administrators and others. Its clients choose their address.
/// </summary>
public sealed class KeyServer : IAsyncLifetime
{
    internal const string Boss = "bootstrap-key-of-the-operator-8f1d2c", AnnAdmin = "bootstrap-key-of-ann-90c1ab77de",
        ShopAdmin = "bootstrap-key-of-shop-51aa0b93fe",
        EveryShopAdmin = "bootstrap-key-of-every-shop-1c0d9e", Reader = "bootstrap-key-of-a-reader-77aa1e";

    private TestDatabase _database = null!;

    internal TestDatabase Database => _database;

    internal TestHost Host { get; private set; } = null!;

    internal HttpClient Http => Host.Http;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        Host = await TestHost.StartAsync(_database.ConnectionString, settings: Settings());
    }

    public async Task DisposeAsync()
    {
        await Host.DisposeAsync();
        await _database.DisposeAsync();
    }

    internal static Dictionary<string, string?> Settings()
    {
        var settings = new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Error", ["TaskQueue:TrustedProxies:0"] = "127.0.0.1", ["TaskQueue:TrustedProxies:1"] = "::1",
        };
        Add(settings, 0, "boss", Boss, null, "admin");
        Add(settings, 1, "ann-admin", AnnAdmin, "ann", "admin");
        Add(settings, 2, "shop-admin", ShopAdmin, "shop", "admin:shop-*", "enqueue", "read");
        Add(settings, 3, "every-shop", EveryShopAdmin, null, "admin:shop-*");
        Add(settings, 4, "reader", Reader, null, "read");
        return settings;
    }

    /// <summary>Sends a request as the holder of a key, from an address chosen by the test.</summary>
    internal static async Task<Reply> CallAsync(HttpClient http, string? key, string method, string path, object? body = null,
        string? from = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        if (body is not null)
            request.Content = new StringContent(body as string ?? JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (from is not null)
            request.Headers.Add("X-Forwarded-For", from);
        using var response = await http.SendAsync(request);
        return new Reply((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType,
            await response.Content.ReadAsStringAsync());
    }

    internal Task<Reply> CallAsync(string? key, string method, string path, object? body = null, string? from = null) =>
        CallAsync(Http, key, method, path, body, from);

    /// <summary>Issues a key.</summary>
    internal async Task<(string Id, string Key)> IssueAsync(object body, string by = Boss)
    {
        var reply = await CallAsync(by, "POST", "/keys", body);
        return reply.Status == 201 ? (reply.Json.Text("id")!, reply.Json.Text("key")!)
            : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    internal static string[] List(params string[] words) => words;

    /// <summary>Records of the audit, newest first.</summary>
    internal async Task<List<JsonElement>> AuditAsync(string query, string key = Boss)
    {
        var reply = await CallAsync(key, "GET", $"/audit?{query}");
        return reply.Status == 200 ? [.. reply.Json.GetProperty("records").EnumerateArray()]
            : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    private static void Add(Dictionary<string, string?> settings, int index, string name, string key, string? tenant,
        params string[] scopes)
    {
        var at = $"TaskQueue:Auth:ApiKeys:{index}";
        (settings[$"{at}:Name"], settings[$"{at}:Tenant"]) = (name, tenant);
        settings[$"{at}:KeyHash"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        foreach (var (place, scope) in scopes.Index())
            settings[$"{at}:Scopes:{place}"] = scope;
    }
}
