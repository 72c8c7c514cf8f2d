using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>GET /events: task events as they happen.</summary>
public abstract class EventsApiTests(Stack stack)
{
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(100);

    private readonly string _queue = $"q{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Events_of_a_task_arrive_as_they_happen()
    {
        await using var here = await EventClient.ListenAsync(Http, $"?queue={_queue}");
        await using var there = await EventClient.ListenAsync(stack.OtherHttp);
        var id = await Http.SubmitAsync(new { action = "a", queue = $"{_queue}:2", retry = new { first = 0.01 } });
        await here.HeardAsync(id, "submitted");
        await EndAsync(id, 1, "snoozed", tier: 2);
        await EndAsync(id, 2, "failed", tier: 2);
        await EndAsync(id, 3, "completed", tier: 2);

        const string Life = "submitted started snoozed started retrying started completed";
        await here.HeardAsync(id, Life);
        await there.HeardAsync(id, Life);
        var steps = here.Seen.Where(e => e.Task == id).ToList();
        steps.ConvertAll(e => e.Data.Whole("attempt")).ShouldBe([0, 1, 1, 2, 2, 3, 3]);
        var failed = steps[4].Data;
        failed.Names().ShouldBe(["task_id", "queue", "tier", "attempt", "at", "due_at", "worker", "error"]);
        failed.Text("queue").ShouldBe(_queue);
        failed.Whole("tier").ShouldBe(2);
        failed.Text("worker").ShouldBe("anna");
        failed.Text("error").ShouldBe("no luck");
        failed.GetProperty("due_at").GetDateTimeOffset().ShouldBeGreaterThan(failed.GetProperty("at").GetDateTimeOffset());
        steps.ConvertAll(e => e.Id).ShouldBeUnique();
    }

    [Fact]
    public async Task Failed_cancelled_and_expired_tasks_have_their_own_events()
    {
        await using var events = await EventClient.ListenAsync(stack.OtherHttp, $"?queue={_queue}");
        var failed = await Http.SubmitAsync(new { action = "a", queue = _queue, max_attempts = 1 });
        await EndAsync(failed, 1, "failed");
        var cancelled = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.PostAsync($"/tasks/{cancelled}/cancel", "");
        var expired = await Http.SubmitAsync(
            new { action = "a", queue = _queue, expires_at = TimeProvider.System.GetUtcNow().AddMilliseconds(1) });

        await events.HeardAsync(failed, "submitted started failed");
        await events.HeardAsync(cancelled, "submitted cancelled");
        await events.HeardAsync(expired, "submitted expired");
    }

    [Fact]
    public async Task Only_requested_queues_are_streamed_and_no_earlier_events()
    {
        var early = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await using var events = await EventClient.ListenAsync(Http, $"?queue={_queue}&queue={_queue}-2");
        await Http.SubmitAsync(new { action = "a", queue = $"{_queue}-3" });
        var second = await Http.SubmitAsync(new { action = "a", queue = $"{_queue}-2" });
        var first = await Http.SubmitAsync(new { action = "a", queue = _queue });

        await events.HeardAsync(first, "submitted");
        events.Seen.Select(e => e.Task).ShouldBe([second, first], ignoreOrder: true);
        events.Of(early).ShouldBe("");
    }

    [Fact]
    public async Task A_listener_resumes_where_it_was_in_any_process()
    {
        var ids = new List<Guid>();
        string? last;
        await using (var events = await EventClient.ListenAsync(Http, $"?queue={_queue}"))
        {
            ids.AddRange(await Http.SubmitManyAsync(Enumerable.Range(0, 30).Select(_ => (object)new { action = "a", queue = _queue })));
            await events.HeardAsync(ids[^1], "submitted");
            last = events.Seen[9].Id; // the rest was on its way when the connection broke, as it were
            ids.RemoveAll(id => events.Seen.Take(10).Any(e => e.Task == id));
        }

        ids.AddRange(await stack.OtherHttp.SubmitManyAsync(Enumerable.Range(0, 30)
            .Select(_ => (object)new { action = "a", queue = _queue })));
        await using var again = await EventClient.ListenAsync(stack.OtherHttp, $"?queue={_queue}", last);
        ids.Add(await Http.SubmitAsync(new { action = "a", queue = _queue }));

        await again.HeardAsync(ids[^1], "submitted");
        again.Seen.Select(e => e.Task).ShouldBe(ids, ignoreOrder: true);
        again.Seen.Count.ShouldBe(51);
    }

    [Fact]
    public async Task Events_are_complete_unique_and_in_order_under_load()
    {
        await using var events = await EventClient.ListenAsync(stack.OtherHttp, $"?queue={_queue}");
        var producers = Task.WhenAll(Enumerable.Range(0, 4).Select(async n =>
        {
            for (var i = 0; i < 10; i++)
                await (n % 2 == 0 ? Http : stack.OtherHttp)
                    .SubmitManyAsync(Enumerable.Range(0, 25).Select(_ => (object)new { action = "a", queue = _queue }));
        }));
        var ended = 0;
        await Eventually.UntilAsync(async () =>
        {
            var claimed = await Http.ClaimAsync(_queue, 100);
            if (claimed.Count > 0)
                await stack.OtherHttp.TellAsync("report",
                    [.. claimed.Select(t => (object)new { id = t.Id(), attempt = 1, outcome = "completed" })]);
            return (ended += claimed.Count) == 1000;
        }, TimeSpan.FromSeconds(60), "1000 tasks are completed");
        await producers;

        await Eventually.UntilAsync(() => Task.FromResult(events.Seen.Count >= 3000), TestHttp.Patience, "3000 events were heard");
        events.Seen.GroupBy(e => e.Task).Select(g => string.Join(' ', g.Select(e => e.Type)))
            .ShouldAllBe(life => life == "submitted started completed");
        events.Seen.Count.ShouldBe(3000);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("12")]
    [InlineData("AQEAA")]
    [InlineData("!")]
    public async Task An_invalid_cursor_is_refused(string after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/events") { Headers = { { "Last-Event-ID", after } } };
        using var response = await Http.SendAsync(request);
        ((int)response.StatusCode).ShouldBe(400);
        (await response.Content.ReadAsStringAsync()).ShouldContain("Last-Event-ID");
    }

    [Theory]
    [InlineData("queue=two%20words")]
    [InlineData("queue=")]
    [InlineData("queue=a:1")]
    public async Task An_invalid_queue_is_refused(string query) =>
        Problems.Expect(await Http.ReadAsync($"/events?{query}"), 400, "invalid_request").Text("detail")!.ShouldContain("queue");

    [Fact]
    public async Task A_cursor_that_never_existed_hides_no_events()
    {
        var ahead = Enumerable.Repeat(1_000_000_000_000L, 64).ToArray();
        await using var events = await EventClient.ListenAsync(Http, $"?queue={_queue}", EventCursor.ToText(ahead));
        await events.HeardAsync(await Http.SubmitAsync(new { action = "a", queue = _queue }), "submitted");
    }

    [Fact]
    public async Task A_slow_listener_is_disconnected_and_resumes_where_it_was()
    {
        var feed = stack.Host.Services.GetRequiredService<EventFeed>();
        var filter = new EventFilter(new HashSet<string> { _queue }, Access.All);
        var heard = new List<Guid>();
        var last = "";
        await using (var slow = feed.ListenAsync(filter, null, Idle, default).GetAsyncEnumerator())
        {
            (await slow.MoveNextAsync()).ShouldBeTrue();
            last = slow.Current.Cursor;
            await using var quick = await EventClient.ListenAsync(Http, $"?queue={_queue}");
            for (var i = 0; i < 12; i++)
                await Http.SubmitManyAsync(Enumerable.Range(0, 1000).Select(_ => (object)new { action = "a", queue = _queue }));
            await Eventually.UntilAsync(
                () => Task.FromResult(quick.Seen.Count == 12_000), TestHttp.Patience, "a quick listener has heard all");

            await Should.ThrowAsync<TimeoutException>(async () =>
            {
                while (await slow.MoveNextAsync())
                {
                    heard.AddRange(slow.Current.Events.Select(e => e.Event.TaskId));
                    last = slow.Current.Cursor;
                }
            });
        }

        heard.Count.ShouldBeInRange(1, 11_999);
        await foreach (var batch in feed.ListenAsync(filter, EventCursor.Parse(last), Idle, default))
        {
            heard.AddRange(batch.Events.Select(e => e.Event.TaskId));
            if (heard.Count >= 12_000)
                break;
        }

        heard.ShouldBeUnique();
        heard.Count.ShouldBe(12_000);
    }

    [Fact]
    public async Task A_listener_receives_only_events_it_may_see()
    {
        var feed = stack.Host.Services.GetRequiredService<EventFeed>();
        var taskService = stack.Host.Services.GetRequiredService<TaskService>();
        var anns = new TaskSubmission(TaskId.New(TimeProvider.System), _queue, "{}") { Owner = "ann" };
        var bens = new TaskSubmission(TaskId.New(TimeProvider.System), _queue, "{}") { Owner = "ben" };
        var elsewhere = new TaskSubmission(TaskId.New(TimeProvider.System), $"z{_queue}", "{}") { Owner = "ann" };
        var filter = new EventFilter(null, Access.Of("ann", "q*"));
        var heard = new List<Guid>();
        string? start = null;
        await foreach (var batch in feed.ListenAsync(filter, null, Idle, default))
        {
            if (start is null)
                await taskService.SubmitManyAsync([bens, elsewhere, anns]);
            start ??= batch.Cursor;
            heard.AddRange(batch.Events.Select(e => e.Event.TaskId));
            if (heard.Count > 0)
                break;
        }

        heard.ShouldBe([anns.Id]);
        var again = new List<Guid>();
        await foreach (var batch in feed.ListenAsync(filter, EventCursor.Parse(start!), Idle, default))
        {
            again.AddRange(batch.Events.Select(e => e.Event.TaskId));
            if (again.Count > 0)
                break;
        }

        again.ShouldBe([anns.Id]);
        await taskService.ApplyAsync([taskService.Delete(anns.Id)]);
        await foreach (var batch in feed.ListenAsync(filter, EventCursor.Parse(start!), Idle, default))
        {
            batch.Events.ShouldBeEmpty(); // the task is gone
            if (batch.Cursor != start)
                break;
        }
    }

    private async Task EndAsync(Guid id, int attempt, string outcome, int tier = 0)
    {
        var claimed = await Http.ClaimAsync($"{_queue}:{tier}", wait_seconds: 10, worker: "anna");
        claimed.Single().Id().ShouldBe(id);
        (await Http.TellAsync("report", new { id, attempt, outcome, error = "no luck", delay_seconds = 0.01 })).ShouldBe(["ok"]);
    }
}

public sealed class EventsOnSqlite(SqliteStack stack) : EventsApiTests(stack), IClassFixture<SqliteStack>;

public sealed class EventsOnSplitRoles(SplitStack stack) : EventsApiTests(stack), IClassFixture<SplitStack>;

/// <summary>A stopping process, and streams on the wire.</summary>
public sealed class EventStopTests
{
    [Fact]
    public async Task A_stopping_process_ends_its_streams_and_another_continues_them()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        Guid first;
        string? last;
        await using (var host = await TestHost.StartAsync(database.ConnectionString))
        {
            await using var events = await EventClient.ListenAsync(host.Http, "?queue=q");
            first = await host.Http.SubmitAsync(new { action = "a", queue = "q" });
            await events.HeardAsync(first, "submitted");
            last = events.Seen[0].Id;
            await host.Http.PostAsync($"/tasks/{first}/cancel", "");
            await host.StopAsync();
            await events.Ended.WaitAsync(TestHttp.Patience);
        }

        await using var next = await TestHost.StartAsync(database.ConnectionString);
        await using var again = await EventClient.ListenAsync(next.Http, "?queue=q", last);
        await again.HeardAsync(first, "cancelled");
    }

    [Fact]
    public async Task The_stream_starts_with_a_comment_and_a_cursor_to_resume_from()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        using var response = await host.Http.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        response.Headers.CacheControl!.NoCache.ShouldBeTrue();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());

        (await reader.ReadLineAsync()).ShouldBe(":");
        (await reader.ReadLineAsync())!.ShouldStartWith("id: ");
        (await reader.ReadLineAsync()).ShouldBe("");
    }

}
