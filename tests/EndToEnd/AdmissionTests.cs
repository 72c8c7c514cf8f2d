using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Access to the routes other than by keys: unknown callers, the authority's tokens, floods of requests.</summary>
public sealed partial class AdmissionTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    [Theory]
    [InlineData("Host", "evil.example.com", "forbidden_host")]
    [InlineData("Host", "127.0.0.1.example.com:8080", "forbidden_host")]
    [InlineData("Host", "192.168.0.1", "forbidden_host")]
    [InlineData("Origin", "https://evil.example.com", "forbidden_origin")]
    [InlineData("Origin", "http://localhost:1", "forbidden_origin")]
    [InlineData("Origin", "null", "forbidden_origin")]
    [InlineData("Origin", "file://localhost", "forbidden_origin")]
    public async Task Without_keys_other_host_names_and_origins_are_refused(string header, string value, string code)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/queues", UriKind.Relative));
        request.Headers.TryAddWithoutValidation(header, value);
        using var answer = await stack.Http.SendAsync(request);

        ((int)answer.StatusCode).ShouldBe(403);
        (await answer.Content.ReadAsStringAsync()).ShouldContain($"\"{code}\"");
    }

    [Theory]
    [InlineData("Host", "localhost:8080")]
    [InlineData("Host", "[::1]:8080")]
    [InlineData("Origin", "")]
    public async Task Without_keys_this_machine_and_the_servers_own_pages_may_call(string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/queues", UriKind.Relative));
        request.Headers.TryAddWithoutValidation(header,
            value.Length > 0 ? value : stack.Http.BaseAddress!.GetLeftPart(UriPartial.Authority));
        using var answer = await stack.Http.SendAsync(request);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task With_keys_the_server_may_listen_on_any_address_and_host_name()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var app = Server.Build(new ServerOptions(null, "http://0.0.0.0:0"), builder =>
        {
            builder.Configuration.AddInMemoryCollection(AuthServer.Settings());
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["ConnectionStrings:TaskQueue"] = database.ConnectionString,
            });
        });
        await StartupChecks.RunAsync(app.Services, CancellationToken.None);
        await app.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{new Uri(app.Urls.First()).Port}"),
            DefaultRequestHeaders = { Host = "tasks.example.com" } };

        using var known = await AuthServer.SendAsync(http, "GET", "/queues", "Bearer key-read");
        using var unknown = await AuthServer.SendAsync(http, "GET", "/queues", null);

        known.StatusCode.ShouldBe(HttpStatusCode.OK);
        unknown.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Too_many_concurrent_requests_return_503_and_long_polls_do_not_count()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = new Dictionary<string, string?>
        {
            ["TaskQueue:Limits:MaxConcurrentRequests"] = "1", ["Logging:LogLevel:Default"] = "Error",
        };
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        var polls = Enumerable.Range(0, 3).Select(_ => host.Http.ClaimAsync("idle", wait_seconds: 30)).ToList();
        (await host.Http.ReadAsync("/queues")).Status.ShouldBe(200);

        using (await Eventually.UntilAsync(() => TakePlaceAsync(host.Http.BaseAddress!.Port), TestHttp.Patience, "the place is taken"))
        {
            using var busy = await host.Http.GetAsync("/queues");
            busy.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1));
            Problems.Expect(await host.Http.ReadAsync("/queues"), 503, "busy");
            (await host.Http.ReadAsync("/health/live")).Status.ShouldBe(200);
        }

        await Eventually.UntilAsync(
            async () => (await host.Http.ReadAsync("/queues")).Status == 200, TestHttp.Patience, "the place is given back");
        polls.ShouldAllBe(poll => !poll.IsCompleted);
    }

    [Fact]
    public async Task Tokens_of_an_authority_are_verified_with_its_published_keys()
    {
        using var key = RSA.Create(2048);
        using var other = RSA.Create(2048);
        await using var authority = await TestReceiver.StartAsync();
        var isUp = false;
        authority.Answer = (context, _) =>
        {
            if (!isUp)
                context.Response.StatusCode = 500;
            return context.Response.WriteAsync(context.Request.Path == "/jwks" ? KeySet(key)
                : $$"""{"issuer":"{{authority.Url}}","jwks_uri":"{{authority.Url}}/jwks"}""");
        };
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = new Dictionary<string, string?>
        {
            ["TaskQueue:Auth:Jwt:Authority"] = authority.Url, ["TaskQueue:Auth:Jwt:Audience"] = "tasks",
            ["Logging:LogLevel:Default"] = "None",
        };
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        var claims = $"{AuthServer.Claims("read")},\"iss\":\"{authority.Url}\"";

        (await StatusAsync(host, Sign(claims, key))).ShouldBe(503);
        isUp = true;
        (await StatusAsync(host, Sign(claims, key))).ShouldBe(200);
        (await StatusAsync(host, Sign(claims, other))).ShouldBe(401);
        (await StatusAsync(host, Sign(claims.Replace($"{authority.Url}\"", "https://evil\"", StringComparison.Ordinal), key)))
            .ShouldBe(401);
        // Signed with a public value: the public key, used as a secret.
        (await StatusAsync(host, AuthServer.Token(claims, Convert.ToBase64String(key.ExportSubjectPublicKeyInfo())))).ShouldBe(401);
        authority.All.Count(r => r.Path == "/jwks")
            .ShouldBeLessThanOrEqualTo(2); // a bad signature asks for newer keys, once in five minutes
    }

    [Fact]
    public async Task Hash_key_makes_a_key_that_fits_its_hash()
    {
        var (code, output) = await TaskQueueProcess.RunAsync(["hash-key"]);

        code.ShouldBe(0, output);
        var made = KeyAndHash().Match(output);
        made.Success.ShouldBeTrue(output);
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(made.Groups["key"].Value))).ShouldBe(made.Groups["hash"].Value);
    }

    /// <returns>The connection of a request whose body never comes; null if it was refused, because the one before had not quite
    /// left.</returns>
    private static async Task<TcpClient?> TakePlaceAsync(int port)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        await client.GetStream()
            .WriteAsync("POST /tasks HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"u8.ToArray());
        using var answer = new StreamReader(client.GetStream(), leaveOpen: true);
        // The server sends "continue" when the body is read, which is after admission.
        if ((await answer.ReadLineAsync())?.Contains("100 Continue", StringComparison.Ordinal) is true)
            return client;
        client.Dispose();
        return null;
    }

    private static async Task<int> StatusAsync(TestHost host, string token)
    {
        using var answer = await AuthServer.SendAsync(host.Http, "GET", "/queues", $"Bearer {token}");
        return (int)answer.StatusCode;
    }

    private static string Sign(string payload, RSA key)
    {
        var signed = AuthServer.Token(payload, secret: null, "RS256").TrimEnd('.');
        return $"{signed}.{Encode(key.SignData(Encoding.UTF8.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))}";
    }

    private static string KeySet(RSA key)
    {
        var parts = key.ExportParameters(includePrivateParameters: false);
        var shown = new { kty = "RSA", use = "sig", alg = "RS256", n = Encode(parts.Modulus!), e = Encode(parts.Exponent!) };
        return JsonSerializer.Serialize(new { keys = new[] { shown } });
    }

    private static string Encode(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    [GeneratedRegex(@"Key: (?<key>tq_[\w-]{43})\s+KeyHash: (?<hash>[0-9A-F]{64})", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex KeyAndHash();
}
