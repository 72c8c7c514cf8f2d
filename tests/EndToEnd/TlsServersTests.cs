using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>TLS to PostgreSQL and RabbitMQ, with certificates on both sides.</summary>
public sealed class TlsServersTests(TlsServers servers) : IClassFixture<TlsServers>
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_server_the_producer_and_the_worker_connect_with_certificates(bool hasPassword)
    {
        var database = await CreateDatabaseAsync(hasPassword ? "with_password" : "with_certificate");
        var address = hasPassword ? servers.RabbitMqWithPassword : servers.RabbitMq;
        (await TaskQueueProcess.RunAsync(["migrate"], new Dictionary<string, string> { ["ConnectionStrings__TaskQueue"] = database }))
            .ExitCode.ShouldBe(0);
        await using var server = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database, address,
            Tls(servers.Authority, servers.Client));
        (await server.Http.PutAsync("/queues/tls-work", new { delivery = "push" })).Status.ShouldBe(201);

        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var host = Host.CreateApplicationBuilder();
        host.Services.AddTaskQueueBusProducer(options =>
        {
            options.ConnectionString = new Uri(address);
            (options.Tls.CaCertificate, options.Tls.Certificate, options.Tls.Key) = (servers.Authority, servers.Client.Certificate,
                servers.Client.Key);
        });
        host.Services.AddTaskQueueWorker(options =>
        {
            options.Queues.Add("tls-work");
            options.UseRabbitMq(new Uri(address),
                new() { CaCertificate = servers.Authority, Certificate = servers.Client.Certificate, Key = servers.Client.Key });
            options.AddProcessor("greet", (_, _) =>
            {
                done.TrySetResult();
                return Task.FromResult(TaskOutcome.CompletedJson("1"));
            });
        });
        using var programs = host.Build();
        await programs.StartAsync();
        var task = await programs.Services.GetRequiredService<TaskQueueBusProducer>().EnqueueAsync(new NewTask("tls-work", "greet"));
        await done.Task.WaitAsync(TestHttp.Patience);
        await server.Http.TaskAsync(task.Id, "completed");
        await programs.StopAsync();
    }

    [Theory]
    [InlineData("none", "ours")]
    [InlineData("stranger", "ours")]
    [InlineData("client", "another")]
    [InlineData("missing", "ours")]
    public async Task PostgreSQL_refuses_other_clients_and_is_refused_with_another_authority(string client, string authority)
    {
        var database = servers.Postgres(Authority(authority), Client(client), "refused");
        Refused(await TaskQueueProcess.RunAsync(["--urls", "http://127.0.0.1:0"], new Dictionary<string, string>
        {
            ["ConnectionStrings__TaskQueue"] = database,
        }), "ConnectionStrings:TaskQueue");
    }

    [Theory]
    [InlineData("none", "ours", "ConnectionStrings:RabbitMq")]
    [InlineData("stranger", "ours", "ConnectionStrings:RabbitMq")]
    [InlineData("client", "another", "ConnectionStrings:RabbitMq")]
    [InlineData("client", "none", "ConnectionStrings:RabbitMq")]
    [InlineData("missing", "ours", "TaskQueue:RabbitMq:Tls")]
    [InlineData("half", "ours", "TaskQueue:RabbitMq:Tls")]
    public async Task RabbitMQ_refuses_other_clients_and_is_refused_with_another_authority(string client, string authority, string key)
    {
        await using var database = await TestDatabase.CreateAsync(TaskQueue.Storage.DatabaseProvider.Sqlite);
        var settings = Tls(authority == "none" ? null : Authority(authority), Client(client));
        if (client == "half")
            settings["TaskQueue:RabbitMq:Tls:Certificate"] = servers.Client.Certificate;
        var environment = settings.ToDictionary(s => s.Key.Replace(":", "__", StringComparison.Ordinal), s => s.Value);
        environment["ConnectionStrings__TaskQueue"] = database.ConnectionString;
        environment["ConnectionStrings__RabbitMq"] = servers.RabbitMqWithPassword;
        Refused(await TaskQueueProcess.RunAsync(["--urls", "http://127.0.0.1:0"], environment), key);
    }

    [Fact]
    public async Task Certificates_require_a_TLS_address()
    {
        await using var database = await TestDatabase.CreateAsync(TaskQueue.Storage.DatabaseProvider.Sqlite);
        var environment = Tls(servers.Authority, null).ToDictionary(s => s.Key.Replace(":", "__", StringComparison.Ordinal), s => s.Value);
        environment["ConnectionStrings__TaskQueue"] = database.ConnectionString;
        environment["ConnectionStrings__RabbitMq"] = servers.RabbitMqWithPassword.Replace("amqps:", "amqp:", StringComparison.Ordinal);
        Refused(await TaskQueueProcess.RunAsync(["--urls", "http://127.0.0.1:0"], environment), "amqps://");
    }

    private static void Refused((int Code, string Output) run, string key)
    {
        run.Code.ShouldBe(1, run.Output);
        var error = run.Output.Split('\n').Single(l => l.StartsWith("taskqueue: ", StringComparison.Ordinal));
        error.ShouldContain(key);
        run.Output.ShouldNotContain("   at ");
    }

    private string Authority(string name) => name == "ours" ? servers.Authority : servers.OtherAuthority;

    private (string Certificate, string Key)? Client(string name) => name switch
    {
        "client" => servers.Client,
        "stranger" => servers.Stranger,
        "missing" => ("/nowhere/client.pem", "/nowhere/client.key"),
        _ => null,
    };

    private static Dictionary<string, string> Tls(string? authority, (string Certificate, string Key)? client)
    {
        var settings = new Dictionary<string, string>();
        if (authority is not null)
            settings["TaskQueue:RabbitMq:Tls:CaCertificate"] = authority;
        if (client is { } files)
            (settings["TaskQueue:RabbitMq:Tls:Certificate"], settings["TaskQueue:RabbitMq:Tls:Key"]) = files;
        return settings;
    }

    private async Task<string> CreateDatabaseAsync(string name)
    {
        await using var connection = new NpgsqlConnection(servers.Postgres(servers.Authority, servers.Client));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"create database {name}", connection);
        await command.ExecuteNonQueryAsync();
        return servers.Postgres(servers.Authority, servers.Client, name);
    }
}
