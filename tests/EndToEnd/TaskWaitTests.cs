using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>GET /tasks/{id}?wait_seconds=: the response comes when the task ends, in whichever process.</summary>
public abstract class TaskWaitTests(Stack stack)
{
    private readonly string _queue = $"q{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    [Theory]
    [InlineData("completed")]
    [InlineData("failed")]
    public async Task The_response_comes_when_a_worker_ends_the_task(string outcome)
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.ClaimAsync(_queue);
        var (here, there) = (WaitAsync(Http, id), WaitAsync(stack.OtherHttp, id));
        await stack.OtherHttp.TellAsync("report", new { id, attempt = 1, outcome, error = "e", retryable = false, result = 1 });
        (await here).ShouldBe(outcome);
        (await there).ShouldBe(outcome);
    }

    [Fact]
    public async Task The_response_comes_when_the_task_is_cancelled_elsewhere_or_purged()
    {
        var ids = await Http.SubmitManyAsync([new { action = "a", queue = _queue }, new { action = "a", queue = _queue }]);
        var cancelled = WaitAsync(Http, ids[0]);
        var deleted = Http.ReadAsync($"/tasks/{ids[1]}?wait_seconds=30");
        await stack.OtherHttp.PostAsync($"/tasks/{ids[0]}/cancel", "");
        (await cancelled).ShouldBe("cancelled");
        await stack.OtherHttp.RemoveAsync($"/tasks/{ids[1]}");
        Problems.Expect(await deleted, 404, "not_found");
    }

    [Fact]
    public async Task The_response_comes_when_the_task_expires()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue, expires_at = TimeProvider.System.GetUtcNow().AddSeconds(1) });
        (await WaitAsync(stack.OtherHttp, id)).ShouldBe("expired");
    }

    [Fact]
    public async Task A_queue_without_events_still_answers_waiting_callers()
    {
        (await Http.PutAsync($"/queues/{_queue}", new { events = "none" })).Status.ShouldBe(201);
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.ClaimAsync(_queue);
        var wait = WaitAsync(Http, id);
        await stack.OtherHttp.TellAsync("report", new { id, attempt = 1, outcome = "completed" });
        (await wait).ShouldBe("completed");
    }

    [Fact]
    public async Task After_the_wait_the_task_is_returned_as_it_is()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        var start = Stopwatch.GetTimestamp();
        (await WaitAsync(Http, id, "0.5")).ShouldBe("pending");
        Stopwatch.GetElapsedTime(start).ShouldBeGreaterThan(TimeSpan.FromMilliseconds(400));
        (await WaitAsync(Http, id, "0")).ShouldBe("pending");
    }

    [Fact]
    public async Task Waiting_for_an_ended_or_unknown_task_returns_at_once()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.PostAsync($"/tasks/{id}/cancel", "");
        var start = Stopwatch.GetTimestamp();
        (await WaitAsync(Http, id)).ShouldBe("cancelled");
        Problems.Expect(await Http.ReadAsync($"/tasks/{Guid.NewGuid()}?wait_seconds=30"), 404, "not_found");
        Stopwatch.GetElapsedTime(start).ShouldBeLessThan(TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("30.1")]
    [InlineData("1e1")]
    [InlineData("NaN")]
    [InlineData("-Infinity")]
    [InlineData("Infinity")]
    [InlineData("soon")]
    [InlineData("1&wait_seconds=2")]
    public async Task An_invalid_wait_is_refused(string wait)
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        Problems.Expect(await Http.ReadAsync($"/tasks/{id}?wait_seconds={wait}"), 400, "invalid_request")
            .Text("detail")!.ShouldContain("wait_seconds");
    }

    [Fact]
    public async Task Thousands_wait_at_once_and_all_are_answered()
    {
        const int Tasks = 1500;
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 1000).Select(_ => (object)new { action = "a", queue = _queue }));
        ids.AddRange(await Http.SubmitManyAsync(Enumerable.Range(0, Tasks - 1000)
            .Select(_ => (object)new { action = "a", queue = _queue })));
        var waits = ids.ConvertAll(id => WaitAsync(Http, id));

        var claimed = await stack.OtherHttp.ClaimAsync(_queue, 1000);
        claimed.AddRange(await stack.OtherHttp.ClaimAsync(_queue, 1000));
        foreach (var chunk in claimed.Chunk(500))
            await stack.OtherHttp.TellAsync("report",
                [.. chunk.Select(t => (object)new { id = t.Id(), attempt = 1, outcome = "completed" })]);

        claimed.Count.ShouldBe(Tasks);
        (await Task.WhenAll(waits)).ShouldAllBe(s => s == "completed");
    }

    private static async Task<string?> WaitAsync(HttpClient http, Guid id, string seconds = "30")
    {
        var reply = await http.ReadAsync($"/tasks/{id}?wait_seconds={seconds}");
        reply.Status.ShouldBe(200, reply.Text);
        return reply.Json.Text("status");
    }
}

public sealed class TaskWaitOnSqlite(SqliteStack stack) : TaskWaitTests(stack), IClassFixture<SqliteStack>;

public sealed class TaskWaitOnSplitRoles(SplitStack stack) : TaskWaitTests(stack), IClassFixture<SplitStack>;

/// <summary>A process that stops while a caller waits.</summary>
public sealed class TaskWaitStopTests
{
    [Fact]
    public async Task A_stopping_process_answers_waiting_callers()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        var id = await host.Http.SubmitAsync(new { action = "a", queue = "q" });
        var wait = host.Http.ReadAsync($"/tasks/{id}?wait_seconds=30");
        var waiters = (CompletionWaiters)host.Services.GetService(typeof(CompletionWaiters))!;
        await Eventually.UntilAsync(() => Task.FromResult(waiters.IsAwaited(id)), TestHttp.Patience, "somebody waits");

        await host.StopAsync();

        (await wait).Json.Text("status").ShouldBe("pending");
        await using var db = database.CreateContext();
        (await db.Tasks.SingleAsync(t => t.CorrelationId == id)).State.ShouldBe(TaskStates.Pending);
    }
}
