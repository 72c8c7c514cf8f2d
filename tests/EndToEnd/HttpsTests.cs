using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Engine;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using V0 = TaskQueue.Moab.V0;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>HTTPS by the server itself, with certificates that change while it runs.</summary>
public sealed class HttpsTests : IDisposable
{
    private const string Section = "Kestrel:Certificates:Default";

    private readonly TestCa _ca = new("good");
    private readonly string _folder = Directory.CreateTempSubdirectory("taskqueue-tls-").FullName;
    private volatile string _seen = "";

    public void Dispose()
    {
        _ca.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task New_connections_get_the_current_certificate()
    {
        var (certificate, key) = (Path.Combine(_folder, "tls.crt"), Path.Combine(_folder, "tls.key"));
        Link("first"); // as Kubernetes mounts a secret
        await using var server = await StartAsync("https://127.0.0.1:0",
            new() { [$"{Section}:Path"] = certificate, [$"{Section}:KeyPath"] = key });
        using var http = _ca.Client(new Uri(server.App.Urls.Single()), leaf => _seen = leaf.Subject);
        (await SubjectAsync(http)).ShouldBe("CN=first");

        Link("second");
        await BecomesAsync(http, "CN=second");

        foreach (var path in new[] { certificate, key })
            File.Delete(path);
        Write(certificate, key, "third");
        await BecomesAsync(http, "CN=third");

        Write(certificate, key, "fourth");
        await BecomesAsync(http, "CN=fourth");

        await File.WriteAllTextAsync(key, "not a key");
        var reader = server.App.Services.GetRequiredService<ServerCertificates>().All.Single();
        await Eventually.UntilAsync(() => Task.FromResult(!TryRefresh(reader)), TestHttp.Patience, "the files were looked at");
        (await SubjectAsync(http)).ShouldBe("CN=fourth", "what cannot be used changes nothing");
        Write(certificate, key, "fifth");
        await BecomesAsync(http, "CN=fifth");
    }

    [Fact]
    public async Task Pkcs12_with_a_password_serves_too_and_answers_tell_browsers_to_stay_with_https()
    {
        var file = Path.Combine(_folder, "server.pfx");
        await File.WriteAllBytesAsync(file, _ca.IssuePkcs12("packed", "secret"));
        var settings = new Dictionary<string, string?>(AuthServer.Settings())
        {
            [$"{Section}:Path"] = file, [$"{Section}:Password"] = "secret",
        };
        await using var server = await StartAsync("https://127.0.0.1:0;http://127.0.0.1:0", settings);
        using var http = _ca.Client(new Uri(server.App.Urls.Single(u => u.StartsWith("https", StringComparison.Ordinal))), leaf =>
            _seen = leaf.Subject);

        using var secure = await http.GetAsync("/health/live");
        _seen.ShouldBe("CN=packed");
        secure.Headers.GetValues("Strict-Transport-Security").ShouldBe(["max-age=31536000"]);

        http.DefaultRequestHeaders.Host = "localhost";
        using var local = await http.GetAsync("/health/live");
        local.Headers.Contains("Strict-Transport-Security").ShouldBeFalse();

        var address = server.App.Urls.Single(u => u.StartsWith("http:", StringComparison.Ordinal));
        using var open = new HttpClient { BaseAddress = new Uri(address) };
        using var plain = await open.GetAsync("/health/live");
        plain.Headers.Contains("Strict-Transport-Security").ShouldBeFalse();
    }

    [Fact]
    public async Task Kestrel_endpoints_may_have_their_own_certificates_beside_an_operations_port()
    {
        var port = TaskQueueProcess.FreePort();
        var (certificate, key) = (Path.Combine(_folder, "a.pem"), Path.Combine(_folder, "a.key"));
        Write(certificate, key, "of the endpoint");
        var file = Path.Combine(_folder, "default.pem");
        var (chain, privateKey) = _ca.Issue("of all");
        await File.WriteAllTextAsync(file, privateKey + chain);
        await using var server = await StartAsync(null, new()
        {
            ["Kestrel:Endpoints:Own:Url"] = "https://127.0.0.1:0",
            ["Kestrel:Endpoints:Own:Certificate:Path"] = certificate,
            ["Kestrel:Endpoints:Own:Certificate:KeyPath"] = key,
            [$"{Section}:Path"] = file,
            ["TaskQueue:Operations:Urls"] = $"https://127.0.0.1:{port}",
        });
        var own = server.App.Urls.Single(u => new Uri(u).Port != port);
        using var http = _ca.Client(new Uri(own), leaf => _seen = leaf.Subject);
        (await SubjectAsync(http)).ShouldBe("CN=of the endpoint");
        (await http.ReadAsync("/metrics")).Status.ShouldBe(404);
        using var operations = _ca.Client(new Uri($"https://127.0.0.1:{port}"), leaf => _seen = leaf.Subject);
        (await operations.ReadAsync("/metrics")).Status.ShouldBe(200);
        _seen.ShouldBe("CN=of all");

        Write(certificate, key, "of the endpoint later");
        await BecomesAsync(http, "CN=of the endpoint later");
    }

    [Fact]
    public async Task Clients_of_gRPC_negotiate_HTTP_2()
    {
        var (certificate, key) = (Path.Combine(_folder, "tls.crt"), Path.Combine(_folder, "tls.key"));
        Write(certificate, key, "server");
        await using var server = await StartAsync("https://127.0.0.1:0",
            new() { [$"{Section}:Path"] = certificate, [$"{Section}:KeyPath"] = key });
        using var http = _ca.Client(new Uri(server.App.Urls.Single()));
        using var channel = GrpcChannel.ForAddress(http.BaseAddress!, new GrpcChannelOptions { HttpClient = http });

        (await new V0.MoabApi.MoabApiClient(channel).ListQueuesAsync(new())).Queues.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("https://127.0.0.1:0", "", "needs a certificate", Section)]
    [InlineData("https://127.0.0.1:0", $"{Section}:Path=missing.pem", "cannot read", "missing.pem", Section)]
    [InlineData("https://127.0.0.1:0", $"{Section}:Path=tls.pem", "cannot be used", Section)]
    [InlineData("https://127.0.0.1:0", $"{Section}:Path=tls.pem;{Section}:KeyPath=other.key", "cannot be used", Section)]
    [InlineData("https://127.0.0.1:0", $"{Section}:Path=tls.pem;{Section}:KeyPath=missing.key", "cannot read", "missing.key")]
    [InlineData("https://127.0.0.1:0", $"{Section}:Path=tls.pfx;{Section}:Password=wrong", "cannot be used", "Password")]
    [InlineData("https://0.0.0.0:0", $"{Section}:Path=tls.pem;{Section}:KeyPath=tls.key", "urls", "loopback")]
    [InlineData("", "Kestrel:Endpoints:A:Url=http://0.0.0.0:0", "Kestrel:Endpoints:A:Url", "loopback")]
    [InlineData("", "Kestrel:Endpoints:A:Url=http://127.0.0.1:0;Kestrel:Endpoints:B:Url=http://*:0", "Kestrel:Endpoints:B:Url", "loopback")]
    [InlineData("", "Kestrel:Endpoints:A:Port=1", "Kestrel:Endpoints:A:Url is missing")]
    [InlineData("", "Kestrel:Endpoints:A:Url=http://unix:/tmp/x.sock", "Kestrel:Endpoints:A:Url")]
    [InlineData("http://127.0.0.1:0", "Kestrel:Endpoints:A:Url=http://127.0.0.1:0", "Kestrel:Endpoints and urls are both set")]
    [InlineData("",
        "Kestrel:Endpoints:A:Url=https://127.0.0.1:0;Kestrel:Endpoints:A:SslProtocols:0=Tls11;"
        + $"{Section}:Path=tls.pem;{Section}:KeyPath=tls.key", "SslProtocols", "Tls12")]
    public async Task A_failure_to_listen_prints_one_line(string urls, string settings, params string[] words)
    {
        Write(Path.Combine(_folder, "tls.pem"), Path.Combine(_folder, "tls.key"), "server");
        Write(Path.Combine(_folder, "other.pem"), Path.Combine(_folder, "other.key"), "other");
        await File.WriteAllBytesAsync(Path.Combine(_folder, "tls.pfx"), _ca.IssuePkcs12("server", "right"));
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite, migrate: false);
        var environment = settings.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(s => s.Split('=', 2))
            .ToDictionary(s => s[0].Replace(":", "__", StringComparison.Ordinal),
                s => s[0].EndsWith("Path", StringComparison.Ordinal) ? Path.Combine(_folder, s[1]) : s[1]);
        environment["ConnectionStrings__TaskQueue"] = database.ConnectionString;

        var (code, output) = await TaskQueueProcess.RunAsync(urls.Length > 0 ? ["--urls", urls] : [], environment);

        code.ShouldBe(1, output);
        var line = output.Split('\n').ShouldHaveSingleItem();
        line.ShouldStartWith("taskqueue: ");
        foreach (var word in words)
            line.ShouldContain(word);
    }

    private static bool TryRefresh(CertificateFile file)
    {
        try
        {
            return file.Refresh();
        }
        catch (StartupException)
        {
            return true; // not seen before
        }
    }

    /// <summary>Replaces the folder that the links point to.</summary>
    private void Link(string name)
    {
        var data = Path.Combine(_folder, $"data-{name}");
        Directory.CreateDirectory(data);
        Write(Path.Combine(data, "tls.crt"), Path.Combine(data, "tls.key"), name);
        var current = Path.Combine(_folder, "..data");
        if (Directory.Exists(current))
            Directory.Delete(current); // only the link
        Directory.CreateSymbolicLink(current, $"data-{name}");
        foreach (var file in new[] { "tls.crt", "tls.key" })
        {
            if (!File.Exists(Path.Combine(_folder, file)))
                File.CreateSymbolicLink(Path.Combine(_folder, file), Path.Combine("..data", file));
        }
    }

    private void Write(string certificate, string key, string name)
    {
        var (chain, privateKey) = _ca.Issue(name);
        File.WriteAllText(certificate, chain);
        File.WriteAllText(key, privateKey);
    }

    private async Task<string> SubjectAsync(HttpClient http)
    {
        (await http.ReadAsync("/health/live")).Status.ShouldBe(200);
        return _seen;
    }

    private Task BecomesAsync(HttpClient http, string subject) =>
        Eventually.UntilAsync(async () => await SubjectAsync(http) == subject, TestHttp.Patience, subject);

    private static async Task<Running> StartAsync(string? urls, Dictionary<string, string?> settings)
    {
        var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var app = Server.Build(new ServerOptions(null, urls), builder =>
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(settings)
        {
            ["ConnectionStrings:TaskQueue"] = database.ConnectionString,
            ["Logging:LogLevel:Default"] = "None",
        }));
        await StartupChecks.RunAsync(app.Services, CancellationToken.None);
        await app.StartAsync();
        return new Running(app, database);
    }

    private sealed record Running(WebApplication App, TestDatabase Database) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await App.StopAsync();
            await App.DisposeAsync();
            await Database.DisposeAsync();
        }
    }
}
