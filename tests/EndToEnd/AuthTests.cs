using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Keys and tokens: what they allow, and changes while the server runs.</summary>
public sealed class AuthTests(AuthServer server) : IClassFixture<AuthServer>
{
    [Fact]
    public async Task A_key_is_only_for_the_queues_of_its_prefixes()
    {
        using var mine = await server.SendAsync("POST", "/tasks", "Bearer key-shop", """{"action":"a","queue":"shop-1"}""");
        using var others = await server.SendAsync("POST", "/tasks", "Bearer key-shop", """{"action":"a","queue":"office"}""");

        ((int)mine.StatusCode).ShouldBe(202);
        ((int)others.StatusCode).ShouldBe(403);
        (await others.Content.ReadAsStringAsync()).ShouldContain("office");
    }

    [Theory]
    [InlineData("\"scope\":\"other read more\"", 200)]
    [InlineData("\"scope\":[\"read\",\"x\"]", 200)]
    [InlineData("\"scp\":[\"read\"]", 200)]
    [InlineData("\"scp\":\"READ\"", 200)]
    [InlineData("\"scope\":\"reader\"", 403)]
    [InlineData("\"scope\":[]", 403)]
    [InlineData("\"x\":1", 403)]
    public async Task Scopes_of_a_token_are_words_or_a_list(string scope, int status)
    {
        var payload = AuthServer.Claims("").Replace("\"scope\":\"\"", scope, StringComparison.Ordinal);
        using var answer = await server.SendAsync("GET", "/tasks", $"Bearer {AuthServer.Token(payload)}");
        ((int)answer.StatusCode).ShouldBe(status);
    }

    [Fact]
    public async Task The_subject_of_a_token_owns_what_it_creates()
    {
        using var made = await server.SendAsync("POST", "/tasks", $"Bearer {AuthServer.Token(AuthServer.Claims("enqueue", name: "kim"))}",
            """{"action":"a","queue":"kims"}""");
        ((int)made.StatusCode).ShouldBe(202);

        using var own = await server.SendAsync("GET", "/queues/kims/tasks",
            $"Bearer {AuthServer.Token(AuthServer.Claims("read", name: "kim"))}");
        using var other = await server.SendAsync("GET", "/queues/kims/tasks",
            $"Bearer {AuthServer.Token(AuthServer.Claims("read", name: "lee"))}");

        (await own.Content.ReadAsStringAsync()).ShouldContain("\"id\"");
        (await other.Content.ReadAsStringAsync()).ShouldNotContain("\"id\"");
    }

    [Fact]
    public async Task The_Authorization_query_parameter_is_accepted_only_below_v1()
    {
        (await server.Http.ReadAsync($"/v1/files?Authorization=Bearer%20{TestKeys.Of("key-read")}")).Status.ShouldBe(200);
        (await server.Http.ReadAsync($"/tasks?Authorization=Bearer%20{TestKeys.Of("key-read")}")).Status.ShouldBe(401);
    }

    [Fact]
    public async Task Requests_over_a_keys_rate_return_429_with_Retry_After()
    {
        var statuses = new List<int>();
        for (var i = 0; i < 8; i++)
        {
            using var answer = await server.SendAsync("GET", "/queues", "Bearer key-slow");
            statuses.Add((int)answer.StatusCode);
            if (statuses[^1] == 429)
                answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds.ShouldBe(1);
        }

        statuses.Take(3).ShouldAllBe(status => status == 200);
        statuses.ShouldContain(429);
        await Eventually.UntilAsync(async () =>
        {
            using var answer = await server.SendAsync("GET", "/queues", "Bearer key-slow");
            return (int)answer.StatusCode == 200;
        }, TestHttp.Patience, "the bucket fills again");
    }

    [Fact]
    public async Task Every_response_has_the_security_headers()
    {
        foreach (var (path, authorization) in new[] { ("/tasks", "Bearer key-read"), ("/tasks", ""), ("/health/live", ""),
            ("/nothing", "") })
        {
            using var answer = await server.SendAsync("GET", path, authorization);
            answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
            answer.Headers.GetValues("Referrer-Policy").ShouldBe(["no-referrer"]);
            answer.Headers.GetValues("Content-Security-Policy").ShouldBe(["default-src 'none'; frame-ancestors 'none'"]);
            answer.Headers.CacheControl!.NoStore.ShouldBeTrue(path);
            answer.Headers.Contains("Server").ShouldBeFalse();
        }
    }

    [Fact]
    public async Task A_valid_configuration_change_applies_at_once_and_an_invalid_one_is_ignored()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: AuthServer.Settings());
        var configuration = (IConfigurationRoot)host.Services.GetRequiredService<IConfiguration>();
        (await StatusAsync(host.Http, "key-read")).ShouldBe(200);

        Change(configuration, "TaskQueue:Auth:ApiKeys:2:KeyHash", Hash("key-new"));
        (await StatusAsync(host.Http, "key-read")).ShouldBe(401);
        (await StatusAsync(host.Http, "key-new")).ShouldBe(200);

        Change(configuration, "TaskQueue:Auth:ApiKeys:2:KeyHash", "nonsense");
        (await StatusAsync(host.Http, "key-new")).ShouldBe(200);
    }

    [Fact]
    public async Task A_changed_keys_file_is_reloaded_and_an_invalid_one_is_ignored()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, Keys("old"));
        var settings = new Dictionary<string, string?> { ["TaskQueue:Auth:KeysFile"] = file, ["Logging:LogLevel:Default"] = "None" };
        try
        {
            await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
            (await StatusAsync(host.Http, "old")).ShouldBe(200);
            (await StatusAsync(host.Http, "new")).ShouldBe(401);

            await File.WriteAllTextAsync(file, Keys("old", "new"));
            await Eventually.UntilAsync(async () => await StatusAsync(host.Http, "new") == 200, TestHttp.Patience, "the new key counts");
            (await StatusAsync(host.Http, "old")).ShouldBe(200);

            await File.WriteAllTextAsync(file, Keys("new"));
            await Eventually.UntilAsync(async () => await StatusAsync(host.Http, "old") == 401, TestHttp.Patience, "the old key is gone");
            foreach (var wrong in new[] { "{", """{"ApiKeys":[{"Name":"x"}]}""", "{}" })
            {
                var seen = ReloadOf(host);
                await File.WriteAllTextAsync(file, wrong);
                await seen.WaitAsync(TestHttp.Patience);
                (await StatusAsync(host.Http, "new")).ShouldBe(200);
            }
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Authentication_stays_enabled_after_the_last_key_is_removed()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, $$$"""{"TaskQueue":{"Auth":{{{Keys("only")}}}}}""");
        try
        {
            await using var app = Server.Build(new ServerOptions(null, "http://127.0.0.1:0"), builder => builder.Configuration
                .AddInMemoryCollection(new Dictionary<string, string?>
                {
                    ["ConnectionStrings:TaskQueue"] = database.ConnectionString, ["Logging:LogLevel:Default"] = "None",
                })
                .AddJsonFile(file));
            await StartupChecks.RunAsync(app.Services, CancellationToken.None);
            await app.StartAsync();
            using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
            (await StatusAsync(http, "only")).ShouldBe(200);

            await File.WriteAllTextAsync(file, "{}");
            ((IConfigurationRoot)app.Configuration).Reload();

            (await StatusAsync(http, "only")).ShouldBe(401);
            (await http.ReadAsync("/queues")).Status.ShouldBe(401);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Task ReloadOf(TestHost host)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        host.Services.GetRequiredService<IConfiguration>().GetReloadToken().RegisterChangeCallback(_ => seen.SetResult(), null);
        return seen.Task;
    }

    private static string Keys(params string[] keys) =>
        $$"""{"ApiKeys":[{{string.Join(',', keys.Select(k => $$"""{"Name":"ann","KeyHash":"{{Hash(k)}}"}"""))}}]}""";

    private static string Hash(string key) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(TestKeys.Of(key))));

    private static void Change(IConfigurationRoot configuration, string key, string value)
    {
        configuration[key] = value;
        configuration.Reload();
    }

    private static async Task<int> StatusAsync(HttpClient http, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/queues", UriKind.Relative));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", TestKeys.Of(key));
        using var answer = await http.SendAsync(request);
        return (int)answer.StatusCode;
    }
}
