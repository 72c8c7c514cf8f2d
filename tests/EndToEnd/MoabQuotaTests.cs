using Shouldly;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The quotas of the Moab API (moab.md 2), on a server with small quotas.</summary>
public abstract class MoabQuotaTests(MoabServer server)
{
    private const string Everything = """{"queue_name":"a"}""";

    public sealed class OnSqlite(SmallOnSqlite server) : MoabQuotaTests(server), IClassFixture<SmallOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(SmallOnPostgres server) : MoabQuotaTests(server), IClassFixture<SmallOnPostgres>;

    public sealed class OverGrpcOnSqlite(SmallOverGrpc server) : MoabQuotaTests(server), IClassFixture<SmallOverGrpc>;

    public sealed class SmallOnSqlite() : MoabServer(DatabaseProvider.Sqlite, Small);

    public sealed class SmallOnPostgres() : MoabServer(DatabaseProvider.Postgres, Small);

    public sealed class SmallOverGrpc() : MoabServer(DatabaseProvider.Sqlite, Small, isGrpc: true);

    private static Dictionary<string, string?> Small => new()
    {
        ["TaskQueue:Moab:MaxQueues"] = "3",
        ["TaskQueue:Moab:MaxSchedulesPerQueue"] = "2",
        ["TaskQueue:Moab:MaxSchedules"] = "3",
        ["TaskQueue:Moab:MaxEnqueueEntries"] = "12",
    };

    [Fact]
    public async Task Quotas_are_enforced_and_refused_requests_change_nothing()
    {
        // Queues of other APIs do not count.
        (await server.Http.PutAsync("/queues/native", new { delivery = "pull" })).Status.ShouldBe(201);
        foreach (var name in "abc")
            await server.OkAsync("CreateQueue", Queue($"{name}"));
        var queues = (await server.OkAsync("ListQueues", "{}")).GetRawText();
        var full = await server.RefusedAsync("CreateQueue", Queue("d"), 429, "RESOURCE_EXHAUSTED");
        full.GetProperty("details").Text("limit").ShouldBe("3");
        (await server.OkAsync("ListQueues", "{}")).GetRawText().ShouldBe(queues);
        await server.RefusedAsync("CreateQueue", Queue("a"), 409, "ALREADY_EXISTS"); // the name is checked before the quota
        await server.OkAsync("DeleteQueue", """{"queue_name":"c"}""");
        await server.OkAsync("CreateQueue", Queue("d"));
        await server.RefusedAsync("CreateQueue", Queue("c"), 429, "RESOURCE_EXHAUSTED");

        await server.OkAsync("CreateSchedule", Schedule("a", "s1"));
        await server.OkAsync("CreateSchedule", Schedule("a", "s2"));
        var before = (await server.OkAsync("ListSchedules", Everything)).GetRawText();
        await server.RefusedAsync("CreateSchedule", Schedule("a", "s3"), 429, "RESOURCE_EXHAUSTED");
        await server.RefusedAsync("CreateSchedule", Schedule("a", "s1"), 429, "RESOURCE_EXHAUSTED"); // the quota is checked before the name
        (await server.OkAsync("ListSchedules", Everything)).GetRawText().ShouldBe(before);
        await server.OkAsync("CreateSchedule", Schedule("b", "s1"));
        await server.RefusedAsync("CreateSchedule", Schedule("b", "s2"), 429, "RESOURCE_EXHAUSTED"); // of all queues
        await server.OkAsync("DeleteSchedule", """{"queue_name":"a","schedule_name":"s1"}""");
        await server.OkAsync("CreateSchedule", Schedule("b", "s2"));

        (await server.EnqueueAsync("a", [.. Enumerable.Repeat("{}", 12)])).Count.ShouldBe(12);
        await server.RefusedAsync("Enqueue", $$"""{"queue_name":"a","entries":[{{string.Join(',', Enumerable.Repeat("{}", 13))}}]}""");
        (await server.ListAsync("a")).Count.ShouldBe(12);
    }

    private static string Queue(string name) => $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":5}""";

    private static string Schedule(string queue, string name) =>
        $$"""{"queue_name":"{{queue}}","name":"{{name}}","cron":"0 0 1 1 *","timezone":"UTC"}""";
}
