using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Npgsql;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The executable: what it refuses, in one line, and its exit codes.</summary>
public sealed class CommandLineTests
{
    private const string Secret = "hunter2secret";
    private static readonly string[] LogLevels = ["info", "warn", "fail", "crit"];

    private static string Postgres(string change) =>
        new NpgsqlConnectionStringBuilder($"{TestServers.Postgres};{change}") { Pooling = false }.ConnectionString;

    [Theory]
    [InlineData("--nonsense", "--nonsense")]
    [InlineData("migrat", "migrat")]
    [InlineData("migrate --roles api", "--roles")]
    public async Task An_unknown_command_is_refused_with_exit_code_2(string args, params string[] words) =>
        Refused(await TaskQueueProcess.RunAsync(args.Split(' ')), 2, words);

    [Theory]
    [InlineData("--roles boss", "TaskQueue:Roles", "boss")]
    [InlineData("--urls http://0.0.0.0:8080", "urls", "loopback")]
    [InlineData("--urls http://127.0.0.1:1;http://*:1", "urls", "loopback")]
    [InlineData("--urls nonsense", "urls", "nonsense")]
    [InlineData("--urls https://localhost:1", "urls")]
    [InlineData("--urls http://localhost:99999", "urls")]
    [InlineData("--urls http://localhost:0", "urls")]
    public async Task An_invalid_command_line_is_refused(string args, params string[] words) =>
        Refused(await TaskQueueProcess.RunAsync(args.Split(' ')), words);

    [Theory]
    [InlineData("TaskQueue:MaxPayloadBytes", "1", "MaxPayloadBytes")]
    [InlineData("TaskQueue:MaxPayloadBytes", "abc", "TaskQueue:MaxPayloadBytes")]
    [InlineData("TaskQueue:Actions:Concurrency", "0", "Concurrency")]
    [InlineData("TaskQueue:Files:Store", "tape", "TaskQueue:Files:Store")]
    [InlineData("TaskQueue:Files:Store", "7", "TaskQueue:Files:Store")]
    [InlineData("TaskQueue:Files:MaxBytes", "0", "TaskQueue:Files:MaxBytes")]
    [InlineData("TaskQueue:Files:Path", "/proc/none", "TaskQueue:Files:Path", "/proc/none")]
    [InlineData("TaskQueue:Upstreams:0:BaseUrl", "http://user:" + Secret + "@host", "TaskQueue:Upstreams:0:Endpoint")]
    [InlineData("TaskQueue:Upstreams:3:MaxConcurrency", "abc", "TaskQueue:Upstreams:3:MaxConcurrency")]
    [InlineData("TaskQueue:Upstreams:0:Tiers:0", "abc", "TaskQueue:Upstreams:0:Tiers:0")]
    [InlineData("TaskQueue:Upstreams:0:Timeout", "5", "Timeout")]
    [InlineData("TaskQueue:Roles", "boss", "TaskQueue:Roles")]
    [InlineData("TaskQueue:Provider", "oracle", "TaskQueue:Provider")]
    [InlineData("TaskQueue:Roles", "api", "TaskQueue:Roles", "ConnectionStrings:TaskQueue")]
    [InlineData("TaskQueue:Webhooks:Concurrency", "0", "TaskQueue:Webhooks:Concurrency")]
    [InlineData("TaskQueue:Webhooks:MaxPerOrigin", "0", "TaskQueue:Webhooks:MaxPerOrigin")]
    [InlineData("TaskQueue:Webhooks:MaxPerOwner", "1001", "TaskQueue:Webhooks:MaxPerOwner")]
    [InlineData("TaskQueue:Webhooks:TimeoutSeconds", "301", "TaskQueue:Webhooks:TimeoutSeconds")]
    [InlineData("TaskQueue:Webhooks:SigningKeys:1", "whsec_" + Secret, "TaskQueue:Webhooks:SigningKeys:0")] // the list has one
    [InlineData("TaskQueue:Webhooks:AllowedHosts:0", "https://example.com", "TaskQueue:Webhooks:AllowedHosts:0")]
    [InlineData("TaskQueue:Auth:Jwt:Secret", "jwt-secret-key", "TaskQueue:Auth:Jwt:Secret")]
    [InlineData("TaskQueue:Auth:Jwt:Secret", Secret, "TaskQueue:Auth:Jwt:Secret", "32 bytes")]
    [InlineData("TaskQueue:Auth:Jwt:Secret", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "TaskQueue:Auth:Jwt:Secret", "different bytes")]
    [InlineData("TaskQueue:Auth:Jwt:Secret", "correct-horse-correct-horse-correct-horse", "TaskQueue:Auth:Jwt:Secret", "repeats")]
    [InlineData("TaskQueue:Auth:Jwt:Secret", "a-string-secret-at-least-256-bits-long", "TaskQueue:Auth:Jwt:Secret", "example")]
    [InlineData("TaskQueue:Auth:Jwt:Authority", "http://id.example.com", "TaskQueue:Auth:Jwt:Authority")]
    [InlineData("TaskQueue:Auth:Jwt:Authority", "https://id.example.com", "TaskQueue:Auth:Jwt:Audience")]
    [InlineData("TaskQueue:Auth:ApiKeys:0:Key", Secret, "TaskQueue:Auth:ApiKeys:0", "Name")]
    [InlineData("TaskQueue:Auth:ApiKeys:0:Scopes:0", "boss", "TaskQueue:Auth:ApiKeys:0")]
    [InlineData("TaskQueue:Auth:KeysFile", "/proc/none/keys.json", "TaskQueue:Auth:KeysFile", "/proc/none/keys.json")]
    [InlineData("TaskQueue:Limits:MaxConcurrentRequests", "-1", "TaskQueue:Limits:MaxConcurrentRequests")]
    [InlineData("TaskQueue:Limits:PerSecond", "-1", "TaskQueue:Limits")]
    [InlineData("TaskQueue:Scaling:WithinSeconds", "0", "TaskQueue:Scaling:WithinSeconds")]
    [InlineData("TaskQueue:Kubernetes:DeletionCost", "maybe", "TaskQueue:Kubernetes:DeletionCost")]
    [InlineData("TaskQueue:Operations:Urls", "http://0.0.0.0:9090", "TaskQueue:Operations:Urls", "loopback")]
    [InlineData("TaskQueue:Operations:Urls", "9090", "TaskQueue:Operations:Urls", "9090")]
    [InlineData("TaskQueue:Operations:Urls", "http://127.0.0.1:0", "TaskQueue:Operations:Urls", "port")]
    [InlineData("TaskQueue:Operations:Urls", "http://127.0.0.1:9091;http://*:9092", "TaskQueue:Operations:Urls", "http://*:9092")]
    [InlineData("Kestrel:Endpoints:A:Url", "http://0.0.0.0:8080", "Kestrel:Endpoints")]
    [InlineData("ConnectionStrings:TaskQueue", "nonsense;Password=" + Secret, "ConnectionStrings:TaskQueue")]
    [InlineData("ConnectionStrings:TaskQueue", "Host=127.0.0.1;Port=abc;Password=" + Secret, "ConnectionStrings:TaskQueue")]
    [InlineData("ConnectionStrings:TaskQueue", "Host=127.0.0.1;Port=1;Username=u;Password=" + Secret, "ConnectionStrings:TaskQueue",
        "127.0.0.1:1")]
    [InlineData("ConnectionStrings:TaskQueue", "Data Source=/proc/none/taskqueue.db", "/proc/none/taskqueue.db")]
    [InlineData("ConnectionStrings:RabbitMq", "http://guest:" + Secret + "@127.0.0.1", "ConnectionStrings:RabbitMq")]
    [InlineData("ConnectionStrings:RabbitMq", "nonsense", "ConnectionStrings:RabbitMq")]
    public async Task An_invalid_configuration_is_refused(string key, string value, params string[] words)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite, migrate: false);
        var settings = new Dictionary<string, string> { ["ConnectionStrings:TaskQueue"] = database.ConnectionString, [key] = value };
        Refused(await RunAsync(["--urls", "http://127.0.0.1:0"], settings), words);
    }

    [Theory]
    [InlineData("http://127.0.0.1:9091")]
    [InlineData("http://127.0.0.1:9092;http://localhost:9091")]
    public async Task The_operations_port_must_differ_from_the_API_port(string operations)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite, migrate: false);
        var settings = new Dictionary<string, string>
        {
            ["ConnectionStrings:TaskQueue"] = database.ConnectionString, ["TaskQueue:Operations:Urls"] = operations,
        };
        Refused(await RunAsync(["--urls", "http://127.0.0.1:9091"], settings), "TaskQueue:Operations:Urls", "9091", "urls already");
    }

    [Fact]
    public async Task Separate_roles_need_a_broker() =>
        Refused(
            await RunAsync(["--roles", "api"], new() { ["ConnectionStrings:TaskQueue"] = TestServers.Postgres }),
            "TaskQueue:Roles", "ConnectionStrings:RabbitMq");

    [Fact]
    public async Task A_broker_that_refuses_the_login_is_named_without_the_password()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = new Dictionary<string, string>
        {
            ["ConnectionStrings:TaskQueue"] = database.ConnectionString,
            ["ConnectionStrings:RabbitMq"] = TestServers.RabbitMq.Replace(":guest@", $":{Secret}@", StringComparison.Ordinal),
        };
        Refused(await RunAsync(["--urls", "http://127.0.0.1:0"], settings), "ConnectionStrings:RabbitMq", "ACCESS_REFUSED");
        settings["ConnectionStrings:RabbitMq"] = $"{TestServers.RabbitMq}/no-such-host";
        Refused(await RunAsync(["--urls", "http://127.0.0.1:0"], settings), "ConnectionStrings:RabbitMq", "no-such-host");
    }

    [Fact]
    public async Task A_database_that_refuses_the_login_is_named_without_the_password() =>
        Refused(
            await RunAsync(["migrate"], new() { ["ConnectionStrings:TaskQueue"] = Postgres($"Password={Secret}") }),
            "ConnectionStrings:TaskQueue", "password authentication failed");

    [Fact]
    public async Task A_read_only_database_cannot_be_migrated()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite, migrate: false);
        await File.WriteAllBytesAsync(new Microsoft.Data.Sqlite.SqliteConnectionStringBuilder(database.ConnectionString).DataSource, []);
        Refused(await RunAsync(["migrate"], new() { ["ConnectionStrings:TaskQueue"] = $"{database.ConnectionString};Mode=ReadOnly" }),
            "SQLite file", "readonly");
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        var url = $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndPoint!).Port}";
        Refused(await RunAsync(["--urls", url], new() { ["ConnectionStrings:TaskQueue"] = database.ConnectionString }), url, "in use");
    }

    [Fact]
    public async Task Migrate_brings_PostgreSQL_up_to_date_and_may_be_repeated()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres, migrate: false);
        var settings = new Dictionary<string, string> { ["ConnectionStrings:TaskQueue"] = database.ConnectionString };

        var serve = await RunAsync(["--urls", "http://127.0.0.1:0"], settings);
        Refused(serve, "taskqueue migrate");

        var (exitCode, output) = await RunAsync(["migrate"], settings);
        exitCode.ShouldBe(0, output);
        output.ShouldContain("applied 20");
        (exitCode, output) = await RunAsync(["migrate"], settings);
        exitCode.ShouldBe(0, output);
        output.ShouldContain("nothing to do");
        (exitCode, output) = await RunAsync(["migrate", "--json"], settings);
        exitCode.ShouldBe(0, output);
        JsonSerializer.Deserialize<JsonElement>(output).GetProperty("applied").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Migrate_makes_a_SQLite_file_and_keeps_its_rows_when_repeated()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite, migrate: false);
        var settings = new Dictionary<string, string> { ["ConnectionStrings:TaskQueue"] = database.ConnectionString };
        (await RunAsync(["migrate"], settings)).ExitCode.ShouldBe(0);
        await using (var host = await TestHost.StartAsync(database.ConnectionString))
            await host.Http.TaskAsync(await host.Http.SubmitAsync(new { action = "zzz" }), "completed");

        var (exitCode, output) = await RunAsync(["migrate"], settings);
        exitCode.ShouldBe(0, output);
        output.ShouldContain("nothing to do");
        await using var again = await TestHost.StartAsync(database.ConnectionString);
        (await again.Http.ReadAsync("/tasks?status=completed")).Json.Whole("count").ShouldBe(1);
    }

    [Fact]
    public async Task Every_role_ends_cleanly_on_SIGTERM_even_while_a_worker_waits_for_work()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        var processes = await Task.WhenAll("api,scheduler,consumers".Split(',')
            .Select(role => TaskQueueProcess.StartAsync(role, database.ConnectionString, rabbitMq)));
        var api = processes[0];
        await api.Http.TaskAsync(await api.Http.SubmitAsync(new { action = "zzz" }), "completed");

        var claim = api.Http.ClaimAsync("nothing", wait_seconds: 30);
        (await api.Http.ClaimAsync("nothing")).ShouldBeEmpty();
        foreach (var process in processes)
        {
            (await process.TerminateAsync(TimeSpan.FromSeconds(15))).ShouldBe(0, process.Output);
            process.Output.ShouldNotContain("Password");
            process.Output.ShouldNotContain("guest");
            // A health check that runs before startup has finished logs that it failed.
            process.Lines.ShouldNotContain(l => l.Contains("Z fail: ") && !l.Contains("HealthChecks"));
            await process.DisposeAsync();
        }

        (await claim).ShouldBeEmpty();
        await TestServers.DeleteVirtualHostAsync(rabbitMq);
    }

    private static Task<(int ExitCode, string Output)> RunAsync(string[] args, Dictionary<string, string> settings) =>
        TaskQueueProcess.RunAsync(args, settings.ToDictionary(s => s.Key.Replace(":", "__", StringComparison.Ordinal), s => s.Value));

    /// <summary>The exit code, and the one line that is not a log line: it gives the reason.</summary>
    private static void Refused((int ExitCode, string Output) run, params string[] words) => Refused(run, 1, words);

    private static void Refused((int ExitCode, string Output) run, int exitCode, string[] words)
    {
        run.ExitCode.ShouldBe(exitCode, run.Output);
        // A service that did not start before startup failed is logged as critical.
        var line = run.Output.Split('\n').Single(l => !LogLevels.Any(level => l.Contains($"Z {level}: ", StringComparison.Ordinal)));
        line.ShouldStartWith("taskqueue: ");
        foreach (var word in words)
            line.ShouldContain(word, Case.Sensitive, run.Output);
        run.Output.ShouldNotContain(Secret);
    }
}
