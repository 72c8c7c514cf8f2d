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

    [Fact]
    public async Task F01_A_queue_with_dead_letters_alone_is_listed_redriven_paused_and_purged_without_declaration()
    {
        for (var i = 0; i < 3; i++)
        {
            var id = await Http.SubmitAsync(new { queue = _queue, action = "a", max_attempts = 1 });
            var task = (await Http.ClaimAsync(_queue)).Single();
            (await Http.TellAsync("report", new { id, attempt = task.Whole("attempt"), outcome = "failed", error = "e" })).ShouldBe(["ok"]);
        }

        (await ListAsync()).Single(q => q.Text("name") == _queue).Whole("version").ShouldBe(0);
        (await CommandRun.OfAsync(Http.BaseAddress!, ["queues"])).Done().Row(_queue)[2..6].ShouldBe(["undeclared", "0", "0", "3"]);
        (await Http.PostAsync($"/queues/{_queue}/redrive", "")).Json.Whole("restarted").ShouldBe(3);
        (await CommandRun.OfAsync(Http.BaseAddress!, ["pause", _queue])).Done().Text.ShouldContain("is paused");
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
        (await Http.PostAsync($"/queues/{_queue}/purge", "")).Status.ShouldBe(204);
        (await Http.ReadAsync($"/queues/{_queue}")).Json.GetProperty("counts").Whole("waiting").ShouldBe(0);

        foreach (var verb in new[] { "pause", "resume", "purge", "redrive" })
            Problems.Expect(await Http.PostAsync($"/queues/{_queue}-none/{verb}", ""), 404, "not_found");
    }

    [Fact]
    public async Task F01_An_undeclared_queue_is_paused_before_anything_failed()
    {
        await Http.SubmitAsync(new { queue = _queue, action = "a" });
        var paused = await Http.PostAsync($"/queues/{_queue}/pause", "");
        (paused.Status, paused.Json.GetProperty("paused").GetBoolean()).ShouldBe((200, true), paused.Text);
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
        (await Http.PostAsync($"/queues/{_queue}/resume", "")).Json.GetProperty("paused").GetBoolean().ShouldBeFalse();
        (await Http.ClaimAsync(_queue)).ShouldHaveSingleItem();
    }

    private async Task<List<JsonElement>> ListAsync() => [.. (await Http.ReadAsync("/queues")).Json.GetProperty("queues").EnumerateArray()];
}
