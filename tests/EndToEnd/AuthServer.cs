using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A server with a key for each scope, and with tokens.</summary>
public sealed class AuthServer : IAsyncLifetime
{
    internal const string Secret = "0123456789-abcdefghijklmnopqrstuvwxyz";

    private TestDatabase _database = null!;

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
            ["TaskQueue:Auth:Jwt:Secret"] = Secret, ["TaskQueue:Auth:Jwt:Audience"] = "tasks", ["Logging:LogLevel:Default"] = "Error",
        };
        // Tests send more wrong keys than an address may.
        settings["TaskQueue:Limits:FailedAuthentications:PerSecond"] = settings["TaskQueue:Limits:FailedAuthentications:Burst"] = "1000000";
        Add(settings, 0, "enqueue", "enqueue");
        Add(settings, 1, "work", "work");
        settings["TaskQueue:Auth:ApiKeys:1:Queues:0"] = "*";
        settings["TaskQueue:Auth:Jwt:Queues:0"] = "*";
        Add(settings, 2, "read", "read");
        Add(settings, 3, "admin", "admin");
        Add(settings, 4, "expired", "admin");
        settings["TaskQueue:Auth:ApiKeys:4:ExpiresAt"] = "2020-01-01T00:00:00Z";
        Add(settings, 5, "shop", null);
        settings["TaskQueue:Auth:ApiKeys:5:Queues:0"] = "shop-";
        Add(settings, 6, "slow", null);
        settings["TaskQueue:Auth:ApiKeys:6:Rate:PerSecond"] = "1";
        settings["TaskQueue:Auth:ApiKeys:6:Rate:Burst"] = "3";
        return settings;
    }

    /// <summary>A token; members of the payload in JSON.</summary>
    internal static string Token(string payload, string? secret = Secret, string alg = "HS256")
    {
        var header = JsonSerializer.Serialize(new { alg, typ = "JWT" });
        var signed = $"{Encode(Encoding.UTF8.GetBytes(header))}.{Encode(Encoding.UTF8.GetBytes($"{{{payload}}}"))}";
        if (secret is null)
            return $"{signed}.";
        var (key, data) = (Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(signed));
        return $"{signed}.{Encode(alg == "HS512" ? HMACSHA512.HashData(key, data) : HMACSHA256.HashData(key, data))}";
    }

    /// <summary>The payload of a token for a scope, with a long lifetime.</summary>
    internal static string Claims(string scope, int lasts = 600, string name = "jo") =>
        $"\"sub\":\"{name}\",\"aud\":\"tasks\",\"scope\":\"{scope}\",\"exp\":{TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + lasts}";

    internal Task<HttpResponseMessage> SendAsync(string method, string path, string? authorization, string? body = null) =>
        SendAsync(Http, method, path, authorization, body);

    internal static async Task<HttpResponseMessage> SendAsync(HttpClient http, string method, string path, string? authorization,
        string? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        if (method is not "GET" and not "HEAD")
            request.Content = new StringContent(body ?? "{}", Encoding.UTF8, "application/json");
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", Written(authorization));
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead); // GET /events has no end
    }

    /// <summary>Tests name keys, such as <c>key-read</c>.</summary>
    private static string Written(string authorization) =>
        authorization.StartsWith("Bearer key-", StringComparison.OrdinalIgnoreCase)
            ? $"{authorization[..7]}{TestKeys.Of(authorization[7..])}" : authorization;

    private static void Add(Dictionary<string, string?> settings, int index, string name, string? scope)
    {
        settings[$"TaskQueue:Auth:ApiKeys:{index}:Name"] = name;
        settings[$"TaskQueue:Auth:ApiKeys:{index}:KeyHash"] =
            Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(TestKeys.Of($"key-{name}"))));
        if (scope is not null)
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Scopes:0"] = scope;
    }

    private static string Encode(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}
