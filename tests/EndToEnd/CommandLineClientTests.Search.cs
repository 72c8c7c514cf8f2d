using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary><c>search</c>.</summary>
public sealed partial class CommandLineClientTests
{
    [Fact]
    public async Task Tasks_are_found_by_their_tags_and_state()
    {
        var first = (await RunAsync("enqueue", _queue, "ship", "--tag", "eu", "--tag", "new")).Done();
        await RunAsync("enqueue", _queue, "ship", "--tag", "us");

        var row = (await RunAsync("search", "--queue", _queue, "--tag", "eu", "--tag", "new", "--state", "pending", "--state", "running"))
            .Done().Row(first.Text.Split(' ')[0]);
        row[1..4].ShouldBe([_queue, "ship", "pending"]);
        row[5].ShouldBe("eu,new");
        var json = (await RunAsync("search", "--queue", _queue, "--created-from", "1h", "--json")).Done().Json;
        (json.GetProperty("tasks").GetArrayLength(), json.GetProperty("total").Whole("count")).ShouldBe((2, 2));
        var page = (await RunAsync("search", "--queue", _queue, "--limit", "1", "--json")).Done().Json;
        (await RunAsync("search", "--queue", _queue, "--limit", "1", "--cursor", page.Text("next_cursor")!, "--json")).Done()
            .Json.GetProperty("tasks")[0].Id().ShouldNotBe(page.GetProperty("tasks")[0].Id());
        (await RunAsync("search", "--queue", _queue, "--tag", "none", "--json")).Done().Json.GetProperty("tasks").GetArrayLength()
            .ShouldBe(0);
        (await RunAsync("search", "--state", "dead")).Refused(2, "'dead' is not a state", "failed");
        (await RunAsync("search", "--limit", "0")).Refused(2, "--limit");
    }
}
