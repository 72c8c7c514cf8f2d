using System.Net;
using System.Text.Json;
using Shouldly;
using TaskQueue.Engine;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Sign-in through an OpenID Connect provider.</summary>
public sealed class ConsoleOidcTests(ConsoleServer server) : IClassFixture<ConsoleServer>
{
    private static readonly string[] ReadScope = ["read"];

    [Fact]
    public async Task An_identity_signs_in_with_the_scopes_of_its_claims()
    {
        await using var provider = await OidcProvider.StartAsync();
        using var browser = await BrowserAsync(provider);
        (await browser.SessionAsync()).GetProperty("methods").EnumerateArray().Select(m => m.GetString()).ShouldBe(["key", "oidc"]);

        (await SignInAsync(browser, "/console/oidc/sign-in?return=/console/queues/mail")).ShouldBe("/console/queues/mail");

        var session = await browser.SessionAsync();
        var caller = session.GetProperty("caller");
        (caller.Text("name"), caller.Text("method")).ShouldBe(("jo", "oidc"));
        caller.GetProperty("scopes").EnumerateArray().Select(s => s.GetString()).ShouldBe(["read"]);
        session.GetProperty("can_see_payloads").GetBoolean().ShouldBeTrue();
        (await browser.SendAsync("GET", "/queues")).Status.ShouldBe(200);
        (await browser.SendAsync("GET", "/keys")).Status.ShouldBe(403);
        (await browser.SendAsync("DELETE", "/console/session")).Status.ShouldBe(204);
        (await browser.SendAsync("GET", "/queues")).Status.ShouldBe(401);
    }

    [Fact]
    public async Task Tenant_and_payload_permission_come_from_claims()
    {
        await using var provider = await OidcProvider.StartAsync();
        provider.Claims = "\"sub\":\"jo\",\"org\":\"ann\",\"scope\":[\"admin\"]";
        using var browser = await BrowserAsync(provider, ("TaskQueue:Auth:Jwt:TenantClaim", "org"),
            ("TaskQueue:Console:ShowPayloads", "false"));
        await SignInAsync(browser, "/console/oidc/sign-in");
        var session = await browser.SessionAsync();
        (session.GetProperty("caller").Text("tenant"), session.GetProperty("caller").GetProperty("operator").GetBoolean())
            .ShouldBe(("ann", false));
        session.GetProperty("can_see_payloads").GetBoolean().ShouldBeFalse();
        var key = new { name = "k", tenant = "ann", scopes = ReadScope };
        (await browser.SendAsync("POST", "/keys", key)).Status.ShouldBe(403, "a key would show payloads");

        provider.Claims = "\"sub\":\"jo\",\"org\":\"ann\",\"scope\":\"admin payloads\"";
        await SignInAsync(browser, "/console/oidc/sign-in");
        var ends = (await browser.SessionAsync()).GetProperty("expires_at").GetDateTime();
        var issued = await browser.SendAsync("POST", "/keys", key);
        issued.Status.ShouldBe(201, issued.Text);
        issued.Json.GetProperty("expires_at").GetDateTime().ShouldBe(ends, "the key lasts no longer than the session");

        provider.Claims = "\"sub\":\"jo\",\"org\":\"ann\",\"scope\":\"read payloads\"";
        await SignInAsync(browser, "/console/oidc/sign-in");
        (await browser.SessionAsync()).GetProperty("can_see_payloads").GetBoolean().ShouldBeTrue();
    }

    [Theory]
    [InlineData("https://elsewhere.example.com/")]
    [InlineData("//elsewhere.example.com/console/")]
    [InlineData("/console/\\elsewhere")]
    [InlineData("/tasks")]
    public async Task A_sign_in_returns_to_the_console_only(string elsewhere)
    {
        await using var provider = await OidcProvider.StartAsync();
        using var browser = await BrowserAsync(provider);
        (await SignInAsync(browser, $"/console/oidc/sign-in?return={Uri.EscapeDataString(elsewhere)}")).ShouldBe("/console/");
    }

    [Fact]
    public async Task A_failed_sign_in_says_why()
    {
        await using var provider = await OidcProvider.StartAsync();
        using var browser = await BrowserAsync(provider);
        provider.Claims = "\"sub\":\"jo\"";
        (await SignInAsync(browser, "/console/oidc/sign-in")).ShouldBe("/console/?sign_in_error=no_access");
        provider.Claims = "\"sub\":\"jo\",\"scope\":\"read\"";
        provider.Refuses = true;
        (await SignInAsync(browser, "/console/oidc/sign-in")).ShouldBe("/console/?sign_in_error=denied");
        (provider.Refuses, provider.MixesNonces) = (false, true);
        (await SignInAsync(browser, "/console/oidc/sign-in")).ShouldBe("/console/?sign_in_error=failed");
        provider.MixesNonces = false;

        // The answer to somebody else's request: login CSRF.
        using var begun = await browser.OpenAsync("GET", "/console/oidc/sign-in");
        using var agreed = await browser.OpenAsync("GET", begun.Headers.Location!.ToString());
        using var victim = new ConsoleBrowser(browser.Http.BaseAddress!);
        using var end = await victim.OpenAsync("GET", agreed.Headers.Location!.ToString());
        end.Headers.Location!.ToString().ShouldBe("/console/?sign_in_error=failed");
        (await victim.SessionAsync()).GetProperty("caller").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Fact]
    public async Task Settings_that_contradict_each_other_are_refused()
    {
        var open = await Should.ThrowAsync<StartupException>(() => server.StartAsync(new()
        {
            ["TaskQueue:Console:Oidc:Authority"] = "https://id.example.com", ["TaskQueue:Console:Oidc:ClientId"] = "console",
        }));
        open.Message.ShouldContain("the server has no keys");
        var path = await Should.ThrowAsync<StartupException>(() => server.StartAsync(new() { ["TaskQueue:PathBase"] = "queue/" }));
        path.Message.ShouldContain("must be a path such as /queue");
        var missing = await Should.ThrowAsync<Exception>(() => server.StartAsync(new(KeyServer.Settings())
        {
            ["TaskQueue:Console:Oidc:Authority"] = "https://id.example.com",
        }));
        missing.ToString().ShouldContain("Oidc:ClientId is missing");
    }

    private async Task<ConsoleBrowser> BrowserAsync(OidcProvider provider, params (string Key, string Value)[] more)
    {
        var settings = new Dictionary<string, string?>(KeyServer.Settings())
        {
            ["TaskQueue:Console:Oidc:Authority"] = provider.Url, ["TaskQueue:Console:Oidc:ClientId"] = OidcProvider.ClientId,
            ["TaskQueue:Console:Oidc:ClientSecret"] = OidcProvider.ClientSecret, ["Logging:LogLevel:Default"] = "None",
        };
        foreach (var (key, value) in more)
            settings[key] = value;
        return new ConsoleBrowser((await server.StartAsync(settings)).Http.BaseAddress!);
    }

    /// <summary>Follows the redirects to the provider and back; returns the last one.</summary>
    private static async Task<string> SignInAsync(ConsoleBrowser browser, string begin)
    {
        var next = begin;
        for (var i = 0; i < 3; i++)
        {
            using var answer = await browser.OpenAsync("GET", next);
            answer.StatusCode.ShouldBe(HttpStatusCode.Redirect, $"{next}: {await answer.Content.ReadAsStringAsync()}");
            next = answer.Headers.Location!.ToString();
        }

        return next;
    }
}
