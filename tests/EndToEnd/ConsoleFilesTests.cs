using System.IO.Compression;
using System.Net;
using System.Text;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>How the console's files are served.</summary>
public sealed class ConsoleFilesTests(ConsoleServer server) : IClassFixture<ConsoleServer>
{
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

    [Theory]
    [InlineData("/console/")]
    [InlineData("/console/queues/mail")]
    [InlineData("/console/tasks/0197/timeline")]
    [InlineData("/console/index.html")]
    public async Task Every_page_is_the_same_with_a_strict_policy(string path)
    {
        using var browser = server.Browser();
        using var answer = await browser.OpenAsync("GET", path);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentType!.ToString().ShouldBe("text/html; charset=utf-8");
        var text = await answer.Content.ReadAsStringAsync();
        text.ShouldContain("src=\"/console/assets/index-1a2b.js\"");
        text.ShouldContain("<head><meta name=\"path-base\" content=\"\">");
        Header(answer, "Content-Security-Policy").ShouldBe(Policy);
        Header(answer, "X-Content-Type-Options").ShouldBe("nosniff");
        Header(answer, "Referrer-Policy").ShouldBe("no-referrer");
        Header(answer, "X-Frame-Options").ShouldBe("DENY");
        Header(answer, "Cross-Origin-Opener-Policy").ShouldBe("same-origin");
        Header(answer, "Cache-Control").ShouldBe("no-cache");
    }

    [Fact]
    public async Task Assets_are_compressed_and_kept_for_ever()
    {
        using var browser = server.Browser();
        using var plain = await browser.OpenAsync("GET", "/console/assets/index-1a2b.js");
        (await plain.Content.ReadAsStringAsync()).ShouldBe(SmallBundle.Script);
        Header(plain, "Cache-Control").ShouldBe("public, max-age=31536000, immutable");
        Header(plain, "Vary").ShouldBe("Accept-Encoding");
        plain.Content.Headers.ContentType!.MediaType.ShouldBe("text/javascript");

        using var brotli = await browser.OpenAsync("GET", "/console/assets/index-1a2b.js", headers: ("Accept-Encoding", "gzip, br"));
        brotli.Content.Headers.ContentEncoding.ShouldBe(["br"]);
        using var opened = new BrotliStream(await brotli.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        (await new StreamReader(opened, Encoding.UTF8).ReadToEndAsync()).ShouldBe(SmallBundle.Script);
        using var gzip = await browser.OpenAsync("GET", "/console/assets/index-1a2b.js", headers: ("Accept-Encoding", "gzip, br;q=0"));
        gzip.Content.Headers.ContentEncoding.ShouldBe(["gzip"]);

        using var again = await browser.OpenAsync("GET", "/console/icon.svg", headers: ("If-None-Match", Header(
            await browser.OpenAsync("GET", "/console/icon.svg"), "ETag")));
        again.StatusCode.ShouldBe(HttpStatusCode.NotModified);
        Header(again, "Cache-Control").ShouldBe("no-cache");
    }

    [Fact]
    public async Task What_is_no_page_is_not_found()
    {
        using var browser = server.Browser();
        (await browser.SendAsync("GET", "/console/assets/index-9999.js")).Status.ShouldBe(404);
        (await browser.SendAsync("POST", "/console/queues")).Status.ShouldBe(405);
        (await browser.SendAsync("GET", "/console/assets/../index.html")).ContentType.ShouldBe("text/html", "a client resolves the dots");
        (await browser.SendAsync("GET", "/console/assets/..%2findex.html")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task Only_browsers_are_led_to_the_console()
    {
        using var browser = server.Browser();
        using var led = await browser.OpenAsync("GET", "/", headers: ("Accept", "text/html,application/xhtml+xml"));
        (led.StatusCode, led.Headers.Location!.ToString()).ShouldBe((HttpStatusCode.Redirect, "/console/"));
        using var slash = await browser.OpenAsync("GET", "/console");
        (slash.StatusCode, slash.Headers.Location!.ToString()).ShouldBe((HttpStatusCode.Redirect, "/console/"));

        var other = await browser.SendAsync("GET", "/");
        (other.Status, other.ContentType).ShouldBe((200, "application/json"));
    }

    [Fact]
    public async Task A_server_may_have_no_console()
    {
        var host = await server.StartAsync(new(KeyServer.Settings()) { ["TaskQueue:Console:Enabled"] = "false" });
        using var browser = new ConsoleBrowser(host.Http.BaseAddress!);
        (await browser.SendAsync("GET", "/console/")).Status.ShouldBe(404);
        (await browser.SendAsync("GET", "/console/session")).Status.ShouldBe(404);
        using var led = await browser.OpenAsync("GET", "/", headers: ("Accept", "text/html"));
        led.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await led.Content.ReadAsStringAsync()).ShouldContain("TaskQueue:Console:Enabled");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_console_works_behind_a_proxy_under_a_path(bool proxyRemovesPath)
    {
        var host = await server.StartAsync(new(KeyServer.Settings()) { ["TaskQueue:PathBase"] = "/queue" });
        await using var proxy = await ConsoleProxy.StartAsync(host.Http.BaseAddress!, proxyRemovesPath);
        using var browser = new ConsoleBrowser(proxy.Address);

        var page = await browser.SendAsync("GET", "/queue/console/queues/mail");
        page.Text.ShouldContain("<meta name=\"path-base\" content=\"/queue\">");
        page.Text.ShouldContain("src=\"/queue/console/assets/index-1a2b.js\"");
        (await browser.SendAsync("GET", "/queue/console/assets/index-1a2b.js")).Text.ShouldBe(SmallBundle.Script);
        using var led = await browser.OpenAsync("GET", "/queue/", headers: ("Accept", "text/html"));
        led.Headers.Location!.ToString().ShouldBe("/queue/console/");

        using var signedIn = await browser.OpenAsync("POST", "/queue/console/session", new { key = KeyServer.Boss });
        signedIn.StatusCode.ShouldBe(HttpStatusCode.OK);
        Header(signedIn, "Set-Cookie").ShouldContain("path=/queue;");
        (await browser.SendAsync("GET", "/queue/queues")).Status.ShouldBe(200);
        var session = (await browser.SendAsync("GET", "/queue/console/session")).Json;
        session.Text("path_base").ShouldBe("/queue");
        session.GetProperty("caller").Text("name").ShouldBe("boss");
    }

    [Fact]
    public async Task Behind_a_proxy_with_TLS_the_cookie_is_secure()
    {
        using var browser = server.Browser();
        using var plain = await browser.OpenAsync("POST", "/console/session", new { key = KeyServer.Boss });
        Header(plain, "Set-Cookie").ShouldNotContain("secure");
        using var tls = await browser.OpenAsync("POST", "/console/session", new { key = KeyServer.Boss },
            headers: [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.7")]);
        var cookie = Header(tls, "Set-Cookie");
        cookie.ShouldContain("secure");
        cookie.ShouldContain("httponly");
        cookie.ShouldContain("samesite=strict");
    }

    private static string Header(HttpResponseMessage answer, string name) =>
        string.Join("\n", answer.Headers.TryGetValues(name, out var values) ? values : []);
}
