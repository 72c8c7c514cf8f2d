using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Health and the OpenAPI document.</summary>
public sealed class OperationsTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private static readonly string[] Loops =
    [
        "health-watch", "database-watch", "quota-service", "group-committer", "outbox-dispatcher", "lost-reply-watch", "completion-watch",
        "event-feed", "dispatch-sweep", "lease-sweep", "expiry-sweep",
        "schedule-firing", "task-retention", "callback-retention", "abandoned-files", "audit-retention", "refused-message-retention",
        "failure-retention", "orphaned-logs", "failure-writer", "worker-flush", "statistics-flush", "lost-workers", "statistics-sample",
        "statistics-roll-up", "stale-usage", "bulk-operation-runner", "bulk-operation-retention",
        "maintenance-watch", "audit-writer", "batch-processor", "callback-service", "action-runner", "upstream-service",
        "agent-service", "api-key-refresh",
    ];

    [Fact]
    public async Task Health_endpoints_report_a_live_and_ready_process()
    {
        var live = await stack.Http.ReadAsync("/health/live");
        live.Status.ShouldBe(200);
        live.ContentType.ShouldBe("application/json");
        live.Json.Text("status").ShouldBe("healthy");
        live.Json.GetProperty("checks").Names().ShouldBe(Loops, ignoreOrder: true);
        var ready = await stack.Http.ReadAsync("/health/ready");
        ready.Status.ShouldBe(200);
        ready.Json.GetProperty("checks").Names().ShouldBe(["masstransit-bus", "database", "file-store", .. Loops], ignoreOrder: true);
    }

    [Fact]
    public async Task Refusals_by_the_server_itself_are_problem_details_with_a_code()
    {
        Refused(await stack.Http.ReadAsync("/nothing"), 404, "not_found");
        Refused(await stack.Http.SendAsync(HttpMethod.Delete, "/tasks", ""), 405, "method_not_allowed");

        static void Refused(Reply reply, int status, string code)
        {
            reply.Status.ShouldBe(status);
            reply.ContentType.ShouldBe("application/problem+json");
            reply.Json.Text("code").ShouldBe(code);
        }
    }

    [Fact]
    public async Task The_OpenAPI_document_has_every_route_with_a_summary()
    {
        var paths = (await stack.Http.ReadAsync("/openapi/v1.json")).Json.GetProperty("paths");
        var routes = stack.Host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<HttpMethodMetadata>() is not null
                && e.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>()?.ExcludeFromDescription != true
                && !e.RoutePattern.RawText!.StartsWith("/openapi", StringComparison.Ordinal))
            .SelectMany(e =>
                e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(m => (Path: PathOf(e), Method: m.ToLowerInvariant())))
            .ToList();
        routes.Count.ShouldBeGreaterThanOrEqualTo(11);
        foreach (var (path, method) in routes)
        {
            paths.TryGetProperty(path, out var operations).ShouldBeTrue(path);
            operations.TryGetProperty(method, out var operation).ShouldBeTrue($"{method} {path}");
            operation.Text("summary").ShouldNotBeNullOrEmpty($"{method} {path}");
        }

        static string PathOf(RouteEndpoint e) => e.RoutePattern.RawText!.TrimEnd('/').Replace("{**", "{", StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_OpenAPI_document_in_docs_matches_the_served_one()
    {
        var served = (await stack.Http.ReadAsync("/openapi/v1.json")).Text.ReplaceLineEndings("\n").TrimEnd() + "\n";
        var file = Repository.FileAt("docs", "openapi.json");
        if (Repository.WritesDocs)
            await File.WriteAllTextAsync(file, served);
        (await File.ReadAllTextAsync(file)).ShouldBe(served, "run this test with TASKQUEUE_WRITE_DOCS=1 to write docs/openapi.json");
    }

    [Fact]
    public async Task Without_its_broker_an_api_only_process_stays_ready_because_it_accepts_and_hands_out_tasks()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var app = Server.Build(new ServerOptions("api", "http://127.0.0.1:0"), builder =>
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:TaskQueue"] = database.ConnectionString,
            ["ConnectionStrings:RabbitMq"] = "amqp://127.0.0.1:1",
            ["Logging:LogLevel:Default"] = "None",
        }));
        await StartupChecks.RunAsync(app.Services, CancellationToken.None);
        await app.StartAsync();
        using var http = new HttpClient
        {
            BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()),
        };

        var ready = await http.ReadAsync("/health/ready");
        ready.Status.ShouldBe(200, ready.Text);
        var id = await http.SubmitAsync(new { action = "a", queue = "q" });
        (await http.ClaimAsync("q")).Single().Id().ShouldBe(id);
    }

    [Fact]
    public async Task Without_its_broker_a_process_is_live_and_accepts_but_is_not_ready()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var app = Server.Build(new ServerOptions(null, "http://127.0.0.1:0"), builder =>
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:TaskQueue"] = database.ConnectionString,
            ["ConnectionStrings:RabbitMq"] = "amqp://127.0.0.1:1",
            ["Logging:LogLevel:Default"] = "None",
        }));
        await StartupChecks.RunAsync(app.Services, CancellationToken.None);
        await app.StartAsync();
        using var http = new HttpClient
        {
            BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()),
        };

        (await http.ReadAsync("/health/live")).Status.ShouldBe(200);
        (await http.ReadAsync("/health/ready")).Status.ShouldBe(503);
        var id = await http.SubmitAsync(new { action = "a", queue = "q" });
        (await http.ClaimAsync("q")).Single().Id().ShouldBe(id);
        Problems.Expect(await http.PutAsync("/queues/pushed", new { delivery = "push" }), 503, "broker_unavailable");
        (await http.ReadAsync("/queues")).Text.ShouldNotContain("pushed");
    }
}
