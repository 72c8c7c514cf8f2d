using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Keys, the event bus, counts and clearing.</summary>
public abstract partial class BellaApiTests
{
    private const string StatsKeys =
        "ctime cu_name cuid id last_scanned_id last_scanned_sharding_key last_wrote_id last_wrote_sharding_key level mtime mu_name muid "
            + "queue total_completed_cnt total_loaded_cnt total_put_cnt";

    [Fact]
    public async Task Check01_auth()
    {
        foreach (var authorization in new[] { null, "Basic x", "Bearer C", "Bearer ", "A" })
            ShouldBeError(await WithKeyAsync("/v1/queue/eventbus", authorization), 401);
        (await WithKeyAsync($"/v1/queue/eventbus?Authorization=Bearer%20{TestKeys.Of("A")}", null)).Ok();
        (await WithKeyAsync("/v1/queue/eventbus", $"bearer {TestKeys.Of("B")}")).Ok(); // configured as a hash; schemes are case-insensitive

        var eventbus = (await server.GetAsync("eventbus")).Ok();

        Keys(eventbus).ShouldBe("topic url");
        eventbus.GetProperty("url").GetString()!.ShouldStartWith(server.RabbitMq is null ? "http://" : "amqp://");
        eventbus.GetProperty("url").GetString()!.ShouldNotContain("guest");
        eventbus.GetProperty("topic").GetString().ShouldNotBeNullOrEmpty();
    }

    [Theory]
    [InlineData("GET", "/v1/queue/q/metadata")]
    [InlineData("GET", "/v1/queue/q:1/stats")]
    [InlineData("GET", "/v1/queue/TASK-1")]
    [InlineData("POST", "/v1/queue/register")]
    [InlineData("POST", "/v1/queue/put")]
    [InlineData("POST", "/v1/queue/take")]
    [InlineData("POST", "/v1/queue/TASK-1/complete")]
    [InlineData("POST", "/v1/queue/TASK-1/cancel")]
    [InlineData("POST", "/v1/queue/TASK-1/progress")]
    [InlineData("GET", "/v1/console/queue/stats")]
    [InlineData("POST", "/v1/console/q:1/clear")]
    public async Task Check01_every_route_wants_a_key(string method, string path) =>
        ShouldBeError(await WithKeyAsync(path, "Bearer wrong", method), 401);

    [Fact]
    public async Task Check05_the_worker_learns_the_name_of_the_submitter_and_never_its_key()
    {
        var name = await server.RegisterAsync();
        (await WithKeyAsync("/v1/queue/put", $"Bearer {TestKeys.Of("B")}", "POST",
            $$$"""{"queue":"{{{name}}}","endpoint":"/x","data":{}}""")).Ok();

        (await server.TakeFirstAsync($"{name}:0")).GetProperty("ak").GetString().ShouldBe("ben");
    }

    [Fact]
    public async Task Check19_stats_and_clear()
    {
        var name = await server.RegisterAsync();
        var before = await StatsAsync(name, 1);
        var ids = await PutAsync(name, 3, tier: 1);
        await PutAsync(name, 2);
        (await server.TakeOneAsync($"{name}:1")).ShouldBe(ids[0]);
        (await server.CompleteAsync(ids[0], "{}")).Ok();

        var after = await StatsAsync(name, 1);
        Keys(after).ShouldBe(StatsKeys);
        after.GetProperty("level").GetInt32().ShouldBe(1);
        after.GetProperty("queue").GetString().ShouldBe(name);
        after.GetProperty("cu_name").GetString().ShouldBe("ann");
        after.GetProperty("ctime").GetString()!.ShouldMatch(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$");
        Count(after, "total_put_cnt").ShouldBe(Count(before, "total_put_cnt") + 3);
        Count(after, "total_loaded_cnt").ShouldBe(1);
        Count(after, "total_completed_cnt").ShouldBe(1);

        var cleared = await server.ClearAsync($"{name}:1");
        cleared.Ok().GetString().ShouldBe($"{name}:1");

        (await server.TakeAsync($"{name}:1", 10)).GetRawText().ShouldBe("{}");
        var end = await StatsAsync(name, 1);
        Count(end, "total_put_cnt").ShouldBe(3);
        Count(end, "total_loaded_cnt").ShouldBe(3);
        (await server.TakeAsync($"{name}:0", 10)).GetProperty($"{name}:0").GetArrayLength().ShouldBe(2); // another level
        Count(await StatsAsync(name, 0), "total_put_cnt").ShouldBe(2);
    }

    [Fact]
    public async Task Check19_clearing_another_tenants_queue_is_400_and_clears_nothing()
    {
        var name = await server.RegisterAsync();
        await server.PutAsync(name);

        ShouldBeError(await WithKeyAsync($"/v1/console/{name}:1/clear", $"Bearer {TestKeys.Of("B")}", "POST"), 400);
        ShouldBeError(await server.ClearAsync(name), 400);
        ShouldBeError(await server.ClearAsync("nobody-registered-this:1"), 404);
        ShouldBeError(await server.GetAsync($"{name}/stats"), 400);
        ShouldBeError(await server.GetAsync("nobody-registered-this:1/stats"), 404);

        await server.TakeOneAsync($"{name}:1");
    }

    [Fact]
    public async Task Check19_console_stats_list_the_offline_levels()
    {
        var name = await server.RegisterAsync();
        await PutAsync(name, 2, tier: 2);
        await PutAsync(name, 1);

        var all = JsonDocument.Parse(await server.Http.GetStringAsync(new Uri("/v1/console/queue/stats", UriKind.Relative))).RootElement;

        var mine = all.EnumerateArray().Where(s => s.GetProperty("queue").GetString() == name).ToList();
        mine.Select(s => (s.GetProperty("level").GetInt32(), Count(s, "total_put_cnt"))).ShouldBe([(1, 0), (2, 2)]);
        mine.ForEach(s => Keys(s).ShouldBe(StatsKeys));
    }

    [Fact]
    public async Task A_put_without_a_queue_uses_the_queue_of_its_model()
    {
        var name = await server.RegisterAsync();
        (await server.PostAsync("put", $$$"""{"endpoint":"/x","data":{"model":"{{{name}}}"}}""")).Ok();

        (await server.TakeFirstAsync($"{name}:0")).GetProperty("queue").GetString().ShouldBe(name);
        ShouldBeError(await server.PostAsync("put", """{"endpoint":"/x","data":{"model":"nobody/has-this"}}"""), 400);
        ShouldBeError(await server.PostAsync("put", """{"queue":" ","endpoint":"/x","data":{"model":1}}"""), 400);
    }

    private async Task<JsonElement> StatsAsync(string queue, int tier) => (await server.GetAsync($"{queue}:{tier}/stats")).Ok();

    private static long Count(JsonElement stats, string name) => stats.GetProperty(name).GetInt64();

    private async Task<BellaReply> WithKeyAsync(string path, string? authorization, string method = "GET", string? body = null)
    {
        using var http = new HttpClient { BaseAddress = server.Http.BaseAddress };
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        request.Content = method == "POST" ? new StringContent(body ?? "{}") : null;
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return await BellaServer.ReadAsync(await http.SendAsync(request));
    }
}
