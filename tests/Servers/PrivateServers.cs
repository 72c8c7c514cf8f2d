using System.Net.Http.Headers;
using System.Text;
using Npgsql;

namespace TaskQueue.Tests.Servers;

/// <summary>A PostgreSQL and a RabbitMQ that no other test uses, so that they may be away while the others run.</summary>
internal sealed class PrivateServers : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    private readonly string _folder;
    private readonly Dictionary<string, string> _variables = [];

    private PrivateServers(string folder) => _folder = folder;

    public NpgsqlConnectionStringBuilder Postgres => new(_variables["TASKQUEUE_TEST_POSTGRES"]) { Pooling = false };

    public string RabbitMq => _variables["TASKQUEUE_TEST_RABBITMQ"];

    public static async Task<PrivateServers> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("taskqueue-servers-").FullName;
        var servers = new PrivateServers(folder);
        await servers.RunAsync("start");
        foreach (var line in await File.ReadAllLinesAsync(Path.Combine(folder, "env")))
        {
            if (line.Split('=', 2) is [var name, var value])
                servers._variables[name.Replace("export ", "", StringComparison.Ordinal)] = value.Trim('"');
        }

        return servers;
    }

    /// <summary>Runs servers.sh on them, e.g. "stop-postgres".</summary>
    public async Task RunAsync(string subcommand, params string[] args)
    {
        using var command = new Command("bash", [Repository.FileAt("tests", "servers.sh"), subcommand, _folder, .. args]);
        if (await command.WaitAsync(Deadline) != 0)
            throw new InvalidOperationException($"servers.sh {subcommand} exited with {command.ExitCode}:\n{command.Output}");
    }

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public async Task<NpgsqlConnectionStringBuilder> CreateDatabaseAsync(string name)
    {
        await using var connection = new NpgsqlConnection(Postgres.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"create database {name}", connection);
        await command.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(Postgres.ConnectionString) { Database = name };
    }

    /// <summary>An answer of the broker's management API.</summary>
    public async Task<string> ManagementAsync(string path)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(_variables["TASKQUEUE_TEST_RABBITMQ_MANAGEMENT"]) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes("guest:guest")));
        return await http.GetStringAsync(new Uri(path, UriKind.Relative));
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("stop");
        Directory.Delete(_folder, recursive: true);
    }
}
