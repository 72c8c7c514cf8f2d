using System.Diagnostics;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>How many tasks run at once, and how many are handed out per interval.</summary>
public abstract partial class QueuesApiTests
{
    [Fact]
    public async Task Running_tasks_never_exceed_the_limit_and_a_completion_wakes_a_waiting_worker()
    {
        await PutAsync(new { max_running = 2 });
        await Http.SubmitManyAsync(Enumerable.Range(0, 4).Select(i => new { action = $"a{i}", queue = _queue }));
        var running = await Http.ClaimAsync(_queue, max: 10);
        running.Count.ShouldBe(2);
        (await Http.ClaimAsync(_queue, max: 10)).ShouldBeEmpty();
        var waiting = Http.ClaimAsync(_queue, max: 10, wait_seconds: 20);

        await Http.TellAsync("report", new { id = running[0].Id(), attempt = 1, outcome = "completed" });

        (await waiting).Count.ShouldBe(1);
        (await Http.ClaimAsync(_queue, max: 10)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_limit_counts_the_tasks_that_ran_before_it()
    {
        await PutAsync(new { });
        await Http.SubmitManyAsync(Enumerable.Range(0, 4).Select(i => new { action = $"a{i}", queue = _queue }));
        (await Http.ClaimAsync(_queue, max: 2)).Count.ShouldBe(2);
        await PutAsync(new { max_running = 3 }, 200);
        (await Http.ClaimAsync(_queue, max: 10)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Tokens_return_one_by_one()
    {
        await PutAsync(new { rate = new { tokens = 2, interval_seconds = 10 } });
        await Http.SubmitManyAsync(Enumerable.Range(0, 20).Select(i => new { action = $"a{i}", queue = _queue }));
        var start = Stopwatch.GetTimestamp();
        var claimed = (await Http.ClaimAsync(_queue, max: 10, lease_seconds: 60)).Count;
        claimed.ShouldBe(2);
        claimed += (await Http.ClaimAsync(_queue, max: 10, lease_seconds: 60)).Count;
        claimed.ShouldBeLessThanOrEqualTo(Most());
        var more = (await Http.ClaimAsync(_queue, max: 10, lease_seconds: 60, wait_seconds: 30)).Count;
        more.ShouldBeGreaterThan(0);
        (claimed + more).ShouldBeLessThanOrEqualTo(Most());

        // One every five seconds; the server's clock may be a little ahead.
        int Most() => 2 + (int)((Stopwatch.GetElapsedTime(start).TotalSeconds + 0.5) / 5);
    }

    [Fact]
    public async Task A_page_of_tasks_leads_to_the_next()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 5).Select(i => new { action = $"a{i}", queue = _queue }));
        foreach (var list in new[] { "live", "waiting" })
        {
            var seen = new List<Guid>();
            for (string? after = null; ;)
            {
                var cursor = after is null ? "" : $"&after={after}";
                var page = (await Http.ReadAsync($"/queues/{_queue}/tasks?list={list}&limit=2{cursor}")).Json;
                seen.AddRange(page.GetProperty("tasks").EnumerateArray().Select(t => t.Id()));
                if ((after = page.Text("next")) is null)
                    break;
            }

            seen.ShouldBe(ids);
        }

        foreach (var query in new[] { "list=other", "limit=0", "limit=1001", "after=x", "list=7" })
            Problems.Expect(await Http.ReadAsync($"/queues/{_queue}/tasks?{query}"), 400, "invalid_request");
    }
}
