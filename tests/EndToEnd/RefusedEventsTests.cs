using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A broker that rejects some messages because they are too large for it.</summary>
public sealed class RefusedEventsTests
{
    private const int Largest = 300_000;

    [Fact]
    public async Task A_task_rejected_by_the_broker_is_quarantined_and_the_outbox_dispatcher_continues()
    {
        await using var servers = await OwnServers.StartAsync();
        await servers.RunAsync("limit-messages", $"{Largest}");
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var host = await TestHost.StartAsync(database.ConnectionString, servers.RabbitMq,
            settings: new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Error", ["TaskQueue:MaxMessageBytes"] = $"{Largest}",
        });

        var large = await host.Http.SubmitAsync(new { action = "echo", data = new string('x', 2 * Largest) });
        var small = await host.Http.SubmitAsync(new { action = "echo", data = 1 });
        await Eventually.UntilAsync(
            async () =>
                (await host.Http.ReadAsync("/quarantine?kind=dispatch")).Json.GetProperty("items").EnumerateArray()
                    .Any(i => i.Text("subject") == large.ToString()),
            TimeSpan.FromSeconds(90), "the large one is set aside");
        await Eventually.UntilAsync(
            async () => (await host.Http.TaskAsync(small)).Text("status") == "completed", TimeSpan.FromSeconds(60), "the small one runs");
        (await host.Http.TaskAsync(large)).Text("status").ShouldBe("pending");
        await Eventually.UntilAsync(
            async () => (await host.Http.GetAsync(new Uri("/health/ready", UriKind.Relative))).IsSuccessStatusCode,
            TimeSpan.FromSeconds(60), "the server is well");
    }

    [Fact]
    public async Task A_task_larger_than_the_broker_takes_is_set_aside_where_we_know_no_such_limit()
    {
        await using var servers = await OwnServers.StartAsync();
        await servers.RunAsync("limit-messages", $"{Largest}");
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var host = await TestHost.StartAsync(database.ConnectionString, servers.RabbitMq,
            settings: new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error" });

        var large = await host.Http.SubmitAsync(new { action = "echo", data = new string('x', 2 * Largest) });
        // Together they are more than the broker takes, too.
        var small = await host.Http.SubmitManyAsync(
            Enumerable.Range(0, 10).Select(_ => new { action = "echo", data = new string('y', Largest / 3) }));
        foreach (var id in small)
            await host.Http.TaskAsync(id, "completed");
        var item = await Eventually.UntilAsync(
            async () =>
                (await host.Http.ReadAsync("/quarantine?kind=dispatch")).Json.GetProperty("items").EnumerateArray()
                    .Select(i => i.Text("subject") == large.ToString() ? i.Text("reason") : null).FirstOrDefault(r => r is not null),
            TimeSpan.FromSeconds(60), "the large one is set aside");
        item.ShouldContain("larger than configured max size");
        (await host.Http.TaskAsync(large)).Text("status").ShouldBe("pending");
        var after = await host.Http.SubmitAsync(new { action = "echo", data = 1 });
        await host.Http.TaskAsync(after, "completed");
        (await host.Http.GetAsync(new Uri("/health/ready", UriKind.Relative))).IsSuccessStatusCode.ShouldBeTrue();
    }

    [Fact]
    public async Task Events_larger_than_the_broker_takes_are_set_aside_and_many_small_ones_are_split()
    {
        const int Small = 3500;
        await using var servers = await OwnServers.StartAsync();
        await servers.RunAsync("limit-messages", $"{Small}");
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var host = await TestHost.StartAsync(database.ConnectionString, servers.RabbitMq,
            settings: new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error" });
        await using var bus = new BusClient(servers.RabbitMq);
        var steps = await bus.SubscribeAsync();

        var many = await host.Http.SubmitManyAsync(Enumerable.Range(0, 200).Select(_ => new { action = "a", queue = "pulled" }));
        await Eventually.UntilAsync(
            () => Task.FromResult(steps.Select(s => s.Step.TaskId).ToHashSet().IsSupersetOf(many)), TimeSpan.FromSeconds(30),
            "events that are too large together are published in parts");

        var large = await host.Http.SubmitAsync(new { action = "a", queue = "failing" });
        var attempt = (await host.Http.ClaimAsync("failing")).Single().Whole("attempt");
        var failed = new { id = large, attempt, outcome = "failed", error = new string('\u20ac', 1000) };
        (await host.Http.TellAsync("report", failed)).ShouldBe(["ok"]);
        await Eventually.UntilAsync(
            async () => (await host.Http.ReadAsync("/quarantine?kind=event")).Json.GetProperty("items").EnumerateArray()
                .Any(i => i.Text("reason")!.Contains(large.ToString(), StringComparison.Ordinal)),
            TimeSpan.FromSeconds(60), "the large one is set aside");
        var after = await host.Http.SubmitAsync(new { action = "a", queue = "pulled" });
        await Eventually.UntilAsync(
            () => Task.FromResult(steps.Any(s => s.Step.TaskId == after)), TimeSpan.FromSeconds(10), "the others go on");
        (await host.Http.GetAsync(new Uri("/health/ready", UriKind.Relative))).IsSuccessStatusCode.ShouldBeTrue();
    }
}
