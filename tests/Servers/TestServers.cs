using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Npgsql;

namespace TaskQueue.Tests.Servers;

/// <summary>How many messages wait in a queue of RabbitMQ; <see cref="Type"/> is classic, quorum or stream.</summary>
public sealed record QueueDepth(
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("type")] string Type,
    [property: JsonPropertyName("messages")] long Messages);

/// <summary>The PostgreSQL and the RabbitMQ that test.sh has started.</summary>
public static class TestServers
{
    private static readonly Lazy<HttpClient> ManagementClient = new(CreateManagementClient);

    public static string Postgres => Variable("TASKQUEUE_TEST_POSTGRES");

    public static string RabbitMq => Variable("TASKQUEUE_TEST_RABBITMQ");

    /// <summary>Where servers.sh keeps their files.</summary>
    internal static string Folder => Variable("TASKQUEUE_TEST_SERVERS");

    private static HttpClient Management => ManagementClient.Value;

    /// <summary>Query of the management API for queues with their numbers of messages alone.</summary>
    internal const string Totals = "?disable_stats=true&enable_queue_totals=true";

    /// <summary>Creates a database, empty or a copy of another, and returns its connection string.</summary>
    public static async Task<string> CreateDatabaseAsync(string template = "template1")
    {
        var name = UniqueName();
        await ExecuteAsync($"CREATE DATABASE {name} TEMPLATE {template}");
        return new NpgsqlConnectionStringBuilder(Postgres) { Database = name, MaxPoolSize = 20 }.ConnectionString;
    }

    public static async Task DropDatabaseAsync(string connectionString)
    {
        await using (var connection = new NpgsqlConnection(connectionString))
        {
            NpgsqlConnection.ClearPool(connection);
        }

        var name = new NpgsqlConnectionStringBuilder(connectionString).Database;
        await ExecuteAsync($"DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    }

    /// <summary>Creates an empty virtual host and returns its address.</summary>
    public static async Task<string> CreateVirtualHostAsync()
    {
        var name = UniqueName();
        using var created = await Management.PutAsync($"/api/vhosts/{name}", content: null);
        created.EnsureSuccessStatusCode();
        using var permitted = await Management.PutAsJsonAsync(
            $"/api/permissions/{name}/guest", new { configure = ".*", write = ".*", read = ".*" });
        permitted.EnsureSuccessStatusCode();
        return $"{RabbitMq}/{name}";
    }

    /// <summary>Gives the users of a definitions file their permissions in a virtual host, instead of in <c>/</c>.</summary>
    public static async Task ImportDefinitionsAsync(string uri, string definitions)
    {
        var name = VirtualHost(uri);
        var json = JsonNode.Parse(definitions)!;
        json["vhosts"]![0]!["name"] = name;
        foreach (var part in json["permissions"]!.AsArray().Concat(json["policies"]!.AsArray()))
            part!["vhost"] = name;
        using var imported = await Management.PostAsJsonAsync("/api/definitions", json);
        imported.EnsureSuccessStatusCode();
    }

    public static async Task DeleteVirtualHostAsync(string uri)
    {
        using var deleted = await Management.DeleteAsync($"/api/vhosts/{VirtualHost(uri)}");
        deleted.EnsureSuccessStatusCode();
    }

    /// <summary>
    /// The queues of a virtual host. RabbitMQ updates the numbers every half second, so wait for
    /// what you expect with <see cref="Eventually"/>.
    /// </summary>
    public static async Task<IReadOnlyList<QueueDepth>> QueueDepthsAsync(string uri) =>
        await Management.GetFromJsonAsync<List<QueueDepth>>(
            $"/api/queues/{VirtualHost(uri)}{Totals}") ?? [];

    /// <summary>Deletes a queue, also one that is exclusive to a connection.</summary>
    public static Task DropQueueAsync(string uri, string queue) => ServersAsync("drop", $"{VirtualHost(uri)}/{queue}");

    /// <summary>The current consumers of the queue get nothing more, and are not notified.</summary>
    public static Task SilenceAsync(string uri, string queue) => ServersAsync("silence", $"{VirtualHost(uri)}/{queue}");

    /// <summary>A quorum queue confirms nothing until it is resumed, as if it had no leader.</summary>
    public static Task SuspendQueueAsync(string uri, string queue) => ServersAsync("suspend", $"{VirtualHost(uri)}/{queue}");

    /// <summary>Ends <see cref="SuspendQueueAsync"/>.</summary>
    public static Task ResumeQueueAsync(string uri, string queue) => ServersAsync("resume", $"{VirtualHost(uri)}/{queue}");

    /// <summary>Lets some queues refuse messages while they have one, as an operator's policy does.</summary>
    public static async Task RefuseMessagesAsync(string uri, string queues)
    {
        var policy = new JsonObject
        {
            ["pattern"] = queues, ["apply-to"] = "queues",
            ["definition"] = new JsonObject { ["max-length"] = 1, ["overflow"] = "reject-publish" },
        };
        using var set = await Management.PutAsJsonAsync($"/api/policies/{VirtualHost(uri)}/refuse", policy);
        set.EnsureSuccessStatusCode();
    }

    /// <summary>Ends <see cref="RefuseMessagesAsync"/>.</summary>
    public static async Task AcceptMessagesAsync(string uri)
    {
        using var deleted = await Management.DeleteAsync($"/api/policies/{VirtualHost(uri)}/refuse");
        deleted.EnsureSuccessStatusCode();
    }

    /// <summary>Declares a quorum queue and binds it to an exchange.</summary>
    public static async Task BindQueueAsync(string uri, string queue, string exchange)
    {
        var name = VirtualHost(uri);
        var settings = new JsonObject { ["durable"] = true, ["arguments"] = new JsonObject { ["x-queue-type"] = "quorum" } };
        using var declared = await Management.PutAsJsonAsync($"/api/queues/{name}/{queue}", settings);
        declared.EnsureSuccessStatusCode();
        using var bound = await Management.PostAsJsonAsync(
            $"/api/bindings/{name}/e/{Uri.EscapeDataString(exchange)}/q/{queue}", new JsonObject { ["routing_key"] = "" });
        bound.EnsureSuccessStatusCode();
    }

    /// <summary>Runs servers.sh, e.g. "stop-postgres" with "immediate". All tests share these servers.</summary>
    public static Task ServersAsync(string subcommand, params string[] args) =>
        ScriptAsync([subcommand, Folder, .. args]);

    /// <summary>The same on servers in another folder.</summary>
    internal static async Task ScriptAsync(params string[] args)
    {
        string[] all = [Variable("TASKQUEUE_TEST_SERVERS_SCRIPT"), .. args];
        using var command = new Command("bash", all);
        if (await command.WaitAsync(TimeSpan.FromSeconds(120)) != 0)
        {
            throw new InvalidOperationException(
                $"servers.sh {args[0]} exited with {command.ExitCode}:\n{command.Output}");
        }
    }

    private static string UniqueName() => $"test_{Guid.NewGuid():N}";

    private static string VirtualHost(string uri) => new Uri(uri).AbsolutePath.TrimStart('/');

    private static string Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value
            ? value
            : throw new InvalidOperationException($"{name} is not set: run the tests with ./test.sh, which starts the servers.");

    private static async Task ExecuteAsync(string sql)
    {
        // Not pooled: a test may have restarted the server since.
        var settings = new NpgsqlConnectionStringBuilder(Postgres) { Pooling = false };
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static HttpClient CreateManagementClient()
    {
        var credentials = Convert.ToBase64String(Encoding.ASCII.GetBytes("guest:guest"));
        return new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = new Uri(Variable("TASKQUEUE_TEST_RABBITMQ_MANAGEMENT")),
            Timeout = TimeSpan.FromSeconds(30),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Basic", credentials) },
        };
    }
}
