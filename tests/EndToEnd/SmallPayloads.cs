using System.Text;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>With its own limit.</summary>
public sealed class SmallPayloads(SmallPayloads.Stack stack) : IClassFixture<SmallPayloads.Stack>
{
    [Fact]
    public async Task A_payload_over_the_limit_is_refused()
    {
        var id = await stack.Http.SubmitAsync(new { action = new string('a', 900), queue = "q" });
        id.ShouldNotBe(Guid.Empty);
        var over = await stack.Http.PostAsync("/tasks", new { action = new string('a', 1024), queue = "q" });
        over.Status.ShouldBe(400);
        over.Text.ShouldBe("""{"error":"payload must have at most 1024 bytes"}""");
        Problems.Expect(await stack.Http.PostAsync("/tasks/bulk", new { tasks = new[] { new { action = new string('a', 1024) } } }), 400,
            "invalid_task");
        foreach (var chunked in BadInputTests.Framings)
        {
            var far = await stack.Http.PostAsync("/tasks", BadInputTests.Json(Encoding.UTF8.GetBytes(
                $$"""{"action":"{{new string('a', 32 * 1024)}}"}"""), chunked));
            far.Status.ShouldBe(413);
            far.Json.Names().ShouldBe(["error"]);
        }

        (await stack.Http.ClaimAsync("q", max: 10)).Count.ShouldBe(1);
    }

    public sealed class Stack : SqliteStack
    {
        protected override Dictionary<string, string?> Settings =>
            new() { ["TaskQueue:MaxPayloadBytes"] = "1024", ["Logging:LogLevel:Default"] = "Error" };
    }
}
