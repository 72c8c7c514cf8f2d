using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Npgsql;

namespace TaskQueue.Tests.Servers;

/// <summary>A PostgreSQL and a RabbitMQ that speak only TLS, and only with clients that the test's authority has signed.</summary>
public sealed class TlsServers : Xunit.IAsyncLifetime
{
    private readonly TestCa _ca = new("ours");
    private readonly TestCa _otherCa = new("another");
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"taskqueue-servers-{Guid.NewGuid():N}");
    private Dictionary<string, string> _variables = [];

    /// <summary>What clients trust.</summary>
    internal string Authority => Tls("root.pem");

    internal string OtherAuthority => Tls("other-root.pem");

    /// <summary>Files of a client whose name is the user of both servers.</summary>
    internal (string Certificate, string Key) Client => (Tls("client.pem"), Tls("client.key"));

    /// <summary>Files of a client that another authority has signed.</summary>
    internal (string Certificate, string Key) Stranger => (Tls("stranger.pem"), Tls("stranger.key"));

    /// <summary>Without user, so that the certificate is the login.</summary>
    internal string RabbitMq => $"amqps://localhost:{new Uri(_variables["TASKQUEUE_TEST_RABBITMQ"]).Port}";

    internal string RabbitMqWithPassword => RabbitMq.Replace("//", "//guest:guest@", StringComparison.Ordinal);

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Tls(""));
        await File.WriteAllTextAsync(Tls("ca.pem"), _ca.BundlePem);
        await File.WriteAllTextAsync(Authority, _ca.RootPem);
        await File.WriteAllTextAsync(OtherAuthority, _otherCa.RootPem);
        await WriteAsync("server", _ca.Issue("server"));
        await WriteAsync("client", _ca.Issue("taskqueue"));
        await WriteAsync("stranger", _otherCa.Issue("taskqueue"));
        await TestServers.ScriptAsync("start", _folder);
        var lines = await File.ReadAllLinesAsync(Path.Combine(_folder, "env"));
        _variables = lines.Select(l => l["export ".Length..].Split('=', 2)).ToDictionary(l => l[0], l => l[1].Trim('"'));
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = new Uri(_variables["TASKQUEUE_TEST_RABBITMQ_MANAGEMENT"]),
        };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic",
            Convert.ToBase64String(Encoding.ASCII.GetBytes("guest:guest")));
        (await http.PutAsJsonAsync("/api/users/taskqueue", new { password_hash = "", tags = "" })).EnsureSuccessStatusCode();
        (await http.PutAsJsonAsync("/api/permissions/%2F/taskqueue", new { configure = ".*", write = ".*", read = ".*" }))
            .EnsureSuccessStatusCode();
    }

    public async Task DisposeAsync()
    {
        await TestServers.ScriptAsync("stop", _folder);
        Directory.Delete(_folder, recursive: true);
        _ca.Dispose();
        _otherCa.Dispose();
    }

    /// <summary>A connection string with the files of a client, or without any.</summary>
    internal string Postgres(string authority, (string Certificate, string Key)? client, string database = "postgres")
    {
        var server = new NpgsqlConnectionStringBuilder(_variables["TASKQUEUE_TEST_POSTGRES"]);
        var settings = new NpgsqlConnectionStringBuilder
        {
            Host = "localhost", Port = server.Port, Username = server.Username, Database = database, Pooling = database != "postgres",
            SslMode = SslMode.VerifyFull, RootCertificate = authority, SslCertificate = client?.Certificate, SslKey = client?.Key,
        };
        return settings.ConnectionString;
    }

    private string Tls(string file) => Path.Combine(_folder, "tls", file);

    private async Task WriteAsync(string name, (string Chain, string Key) issued)
    {
        await File.WriteAllTextAsync(Tls($"{name}.pem"), issued.Chain);
        await File.WriteAllTextAsync(Tls($"{name}.key"), issued.Key);
    }
}
