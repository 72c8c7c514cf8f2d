using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Ids chosen by producers, so that they may resend requests without a response.</summary>
public abstract class ChosenIdTests(Stack stack)
{
    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    [Theory]
    [InlineData(null)]
    [InlineData("key")]
    public async Task A_resent_task_is_a_duplicate_of_itself(string? dedupe_key)
    {
        var id = Guid.NewGuid();
        foreach (var expected in new[] { "queued", "duplicate", "duplicate" })
        {
            var reply = await stack.Http.PostAsync("/tasks", new { id, action = "a", queue = _queue, dedupe_key });
            (reply.Status, reply.Json.Id(), reply.Json.Text("status")).ShouldBe((202, id, expected));
        }

        var task = (await stack.Http.ClaimAsync(_queue, max: 5)).ShouldHaveSingleItem();
        (task.Id(), task.GetProperty("payload").Id()).ShouldBe((id, id));
    }

    [Fact]
    public async Task Existing_tasks_in_a_bulk_submission_are_duplicates()
    {
        var ids = Enumerable.Range(0, 3).Select(_ => Guid.NewGuid()).ToList();
        await stack.Http.SubmitManyAsync(ids.Take(2).Select(id => new { id, action = "a", queue = _queue }));
        var reply = await stack.Http.PostAsync("/tasks/bulk", new { tasks = ids.Select(id => new { id, action = "a", queue = _queue }) });
        reply.Json.GetProperty("ids").EnumerateArray().Select(i => i.GetGuid()).ShouldBe(ids);
        reply.Json.GetProperty("results").EnumerateArray().Select(r => r.GetString()).ShouldBe(["duplicate", "duplicate", "queued"]);
        (await stack.Http.ClaimAsync(_queue, max: 5)).Count.ShouldBe(3);
    }

    [Fact]
    public async Task Tasks_of_one_request_are_claimed_in_its_order_whatever_their_ids()
    {
        var ids = Enumerable.Range(0, 12).Select(_ => Guid.NewGuid()).ToList();
        await stack.Http.SubmitManyAsync(ids.Select(id => new { id, action = "a", queue = _queue }));

        (await stack.Http.ClaimAsync(_queue, max: 12)).Select(t => t.Id()).ShouldBe(ids);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("\"x\"")]
    [InlineData("\"00000000-0000-0000-0000-000000000000\"")]
    [InlineData("\"{01a20000-0000-4000-8000-000000000001}\"")]
    public async Task An_id_that_is_not_a_UUID_is_refused(string id)
    {
        var reply = await stack.Http.PostAsync("/tasks", $$"""{"action":"a","queue":"{{_queue}}","id":{{id}}}""");
        (reply.Status, reply.Json.Text("error")!.Contains("id must be")).ShouldBe((400, true), reply.Text);
    }
}

public sealed class ChosenIdOnSqlite(SqliteStack stack) : ChosenIdTests(stack), IClassFixture<SqliteStack>;

public sealed class ChosenIdOnServers(ServersStack stack) : ChosenIdTests(stack), IClassFixture<ServersStack>;
