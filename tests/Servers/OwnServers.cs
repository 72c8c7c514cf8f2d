using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Npgsql;

namespace TaskQueue.Tests.Servers;

/// <summary>A PostgreSQL and a RabbitMQ for one test, which may stop them while other tests run.</summary>
internal sealed class OwnServers : IAsyncDisposable
{
    private readonly string _folder;
    private readonly Dictionary<string, string> _variables;

    private OwnServers(string folder, Dictionary<string, string> variables) => (_folder, _variables) = (folder, variables);

    public string Postgres => _variables["TASKQUEUE_TEST_POSTGRES"];

    public string RabbitMq => _variables["TASKQUEUE_TEST_RABBITMQ"];

    public static async Task<OwnServers> StartAsync()
    {
        // PostgreSQL runs as another user, who needs access to its data.
        var folder = Path.Combine(Path.GetTempPath(), $"taskqueue-servers-{Guid.NewGuid():N}");
        await TestServers.ScriptAsync("start", folder);
        var lines = await File.ReadAllLinesAsync(Path.Combine(folder, "env"));
        return new OwnServers(folder, lines.Select(l => l["export ".Length..].Split('=', 2)).ToDictionary(l => l[0], l => l[1].Trim('"')));
    }

    /// <summary>Runs servers.sh, e.g. "stop-postgres" with "immediate".</summary>
    public Task RunAsync(string subcommand, params string[] args) => TestServers.ScriptAsync([subcommand, _folder, .. args]);

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public async Task<NpgsqlConnectionStringBuilder> CreateDatabaseAsync(string name)
    {
        var server = new NpgsqlConnectionStringBuilder(Postgres) { Pooling = false };
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"create database {name}", connection);
        await command.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = name };
    }

    /// <summary>The queues of the broker: see <see cref="TestServers.QueueDepthsAsync"/>.</summary>
    public async Task<IReadOnlyList<QueueDepth>> QueueDepthsAsync() =>
        JsonSerializer.Deserialize<List<QueueDepth>>(
            await ManagementAsync($"/api/queues/%2F{TestServers.Totals}")) ?? [];

    /// <summary>A response of the broker's management API.</summary>
    public async Task<string> ManagementAsync(string path)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = new Uri(_variables["TASKQUEUE_TEST_RABBITMQ_MANAGEMENT"]),
        };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic",
            Convert.ToBase64String(Encoding.ASCII.GetBytes("guest:guest")));
        return await http.GetStringAsync(new Uri(path, UriKind.Relative));
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("stop");
        Directory.Delete(_folder, recursive: true);
    }
}
