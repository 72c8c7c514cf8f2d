using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Queues that have tasks without having been declared.</summary>
public sealed class UndeclaredQueueTests(ScalingOnSqlite stack) : IClassFixture<ScalingOnSqlite>
{
    private readonly string _queue = $"u{Guid.NewGuid():N}"[..12];

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Undeclared_queues_have_default_settings_and_can_be_declared_with_them()
    {
        Problems.Expect(await Http.ReadAsync($"/queues/{_queue}"), 404, "not_found");
        await Http.SubmitAsync(new { queue = _queue, action = "a" });

        var queue = await Http.ReadAsync($"/queues/{_queue}");
        queue.Status.ShouldBe(200, queue.Text);
        (queue.Json.Whole("version"), queue.Json.Text("delivery"), queue.Json.GetProperty("counts").Whole("waiting"))
            .ShouldBe((0, "pull", 1));
        queue.Json.GetProperty("created_at").ValueKind.ShouldBe(JsonValueKind.Null);
        await Eventually.UntilAsync(
            async () => (await ListAsync()).Any(q => q.Text("name") == _queue && q.Whole("version") == 0),
            TestHttp.Patience, "it is listed");
        (await CommandRun.OfAsync(Http.BaseAddress!, ["queues"])).Done().Row(_queue)[1..4].ShouldBe(["pull", "undeclared", "1"]);
        (await CommandRun.OfAsync(Http.BaseAddress!, ["stats"])).Done().Row(_queue)[1..3].ShouldBe(["undeclared", "1"]);

        (await Http.PutAsync($"/queues/{_queue}", queue.Text)).Status.ShouldBe(201);
        (await ListAsync()).Single(q => q.Text("name") == _queue).Whole("version").ShouldBe(1);
    }

    private async Task<List<JsonElement>> ListAsync() => [.. (await Http.ReadAsync("/queues")).Json.GetProperty("queues").EnumerateArray()];
}
