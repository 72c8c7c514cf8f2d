using System.Net;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Pages of other origins.</summary>
public sealed class CorsTests : IAsyncLifetime
{
    private const string Page = "https://app.example.com";

    private TestDatabase _database = null!;

    public async Task InitializeAsync() => _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Theory]
    [InlineData(Page, Page)]
    [InlineData("*", "*")]
    [InlineData("https://other.example.com", null)]
    public async Task A_configured_origin_may_call_with_a_key(string configured, string? allowed)
    {
        await using var host = await StartAsync(configured);
        using var preflight = new HttpRequestMessage(HttpMethod.Options, "/v1/batches");
        preflight.Headers.Add("Origin", Page);
        preflight.Headers.Add("Access-Control-Request-Method", "POST");
        preflight.Headers.Add("Access-Control-Request-Headers", "authorization,content-type");

        using var asked = await host.Http.SendAsync(preflight);
        using var read = new HttpRequestMessage(HttpMethod.Get, "/v1/batches");
        read.Headers.Add("Origin", Page);
        read.Headers.Add("Authorization", $"Bearer {TestKeys.Of("key-read")}");
        using var answer = await host.Http.SendAsync(read);

        Allowed(asked).ShouldBe(allowed);
        Allowed(answer).ShouldBe(allowed);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Without_the_setting_no_origin_may_call()
    {
        await using var host = await StartAsync(null);
        using var read = new HttpRequestMessage(HttpMethod.Get, "/v1/batches");
        read.Headers.Add("Origin", Page);
        read.Headers.Add("Authorization", $"Bearer {TestKeys.Of("key-read")}");

        using var answer = await host.Http.SendAsync(read);

        Allowed(answer).ShouldBeNull();
    }

    private static string? Allowed(HttpResponseMessage answer) =>
        answer.Headers.TryGetValues("Access-Control-Allow-Origin", out var values) ? values.Single() : null;

    private Task<TestHost> StartAsync(string? origin)
    {
        var settings = AuthServer.Settings();
        if (origin is not null)
            settings["TaskQueue:Cors:Origins:0"] = origin;
        return TestHost.StartAsync(_database.ConnectionString, settings: settings);
    }
}
