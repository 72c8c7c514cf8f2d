using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Schedules;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Schedules through the native API.</summary>
public abstract class SchedulesApiTests(Stack stack) : IAsyncLifetime
{
    private static readonly string[] Tags = ["a", "b"];

    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    private HttpClient Http => stack.Http;

    public async Task InitializeAsync() => (await Http.PutAsync($"/queues/{_queue}", new { })).Status.ShouldBe(201);

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task A_schedule_shows_its_next_five_ticks_in_its_zone()
    {
        var reply = await PutAsync("s",
            new { cron = "30 12 * * 1-5", time_zone = "America/New_York", action = "report", data = new { a = 1 } });

        reply.Status.ShouldBe(201, reply.Text);
        reply.Json.Text("action").ShouldBe("report");
        reply.Json.GetProperty("data").Whole("a").ShouldBe(1);
        var zone = TimeZoneInfo.FindSystemTimeZoneById("America/New_York");
        var next = reply.Json.GetProperty("next").EnumerateArray().Select(t => TimeZoneInfo.ConvertTimeFromUtc(t.GetDateTime(), zone))
            .ToList();
        next.Count.ShouldBe(5);
        next.ShouldAllBe(t => t.TimeOfDay == new TimeSpan(12, 30, 0) && t.DayOfWeek != DayOfWeek.Saturday
            && t.DayOfWeek != DayOfWeek.Sunday);
        next.ShouldBe(next.Distinct().Order());
        JsonElement.DeepEquals((await Http.ReadAsync($"/queues/{_queue}/schedules/s")).Json, reply.Json).ShouldBeTrue();
        (await Http.ReadAsync($"/queues/{_queue}/schedules")).Json.GetProperty("schedules").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task Ticks_create_tasks_until_the_schedule_is_paused()
    {
        await PutAsync("s", new { cron = "* * * * * *", action = "tick", data = 7, max_attempts = 2, tags = Tags });
        var task = (await Http.ClaimAsync(_queue, wait_seconds: 20)).Single();
        task.GetProperty("tags").EnumerateArray().Select(t => t.GetString()).ShouldBe(Tags);
        (task.Text("name"), task.GetProperty("payload").Whole("data"), task.Whole("max_attempts")).ShouldBe(("tick", 7, 2));

        var paused = (await Http.PostAsync($"/queues/{_queue}/schedules/s/pause", "")).Json;
        paused.GetProperty("next").GetArrayLength().ShouldBe(0);
        paused.Whole("version").ShouldBe(2);
        await Http.ClaimAsync(_queue, max: 100);
        (await Http.ClaimAsync(_queue, max: 100, wait_seconds: 1.5)).ShouldBeEmpty();

        (await Http.PostAsync($"/queues/{_queue}/schedules/s/resume", "")).Json.GetProperty("next").GetArrayLength().ShouldBe(5);
        (await Http.ClaimAsync(_queue, wait_seconds: 20)).ShouldNotBeEmpty();
    }

    [Fact]
    public async Task A_schedule_with_a_time_zone_unknown_to_this_host_blocks_no_other()
    {
        await using var db = stack.Database.CreateContext();
        var unknown = new ScheduleRecord
        {
            Queue = _queue,
            Name = "unknown",
            Settings = new ScheduleSettings { Cron = "* * * * *", TimeZone = "Mars/X" },
            NextAt = DateTime.UnixEpoch,
        };
        db.Add(unknown);
        await db.SaveChangesAsync();

        await PutAsync("known", new { cron = "* * * * * *", action = "tick" });

        (await Http.ClaimAsync(_queue, wait_seconds: 20)).Single().Text("name").ShouldBe("tick");
        (await db.Schedules.AsNoTracking().SingleAsync(s => s.Id == unknown.Id)).NextAt.ShouldBe(DateTime.UnixEpoch); // left to others
        db.Remove(unknown);
        await db.SaveChangesAsync();
    }

    [Fact]
    public async Task A_schedule_unreadable_on_this_host_is_listed_with_its_problem_and_can_be_managed()
    {
        await PutAsync("known", new { cron = "0 0 1 1 *" });
        await PutAsync("zone", new { cron = "0 0 1 1 *" });
        await PutAsync("text", new { cron = "0 0 1 1 *" });
        await using (var db = stack.Database.CreateContext())
        {
            var zone = await db.Schedules.SingleAsync(s => s.Queue == _queue && s.Name == "zone");
            zone.Settings = zone.Settings with { TimeZone = "Mars/X" };
            await db.SaveChangesAsync();
            await db.Database.ExecuteSqlAsync($"update schedules set settings = '{{' where queue = {_queue} and name = 'text'");
        }

        var list = await Http.ReadAsync($"/queues/{_queue}/schedules");
        list.Status.ShouldBe(200, list.Text);
        var shown = list.Json.GetProperty("schedules").EnumerateArray().ToDictionary(s => s.Text("name")!);
        shown["known"].GetProperty("problem").ValueKind.ShouldBe(JsonValueKind.Null);
        shown["zone"].Text("problem")!.ShouldContain("Mars/X");
        shown["zone"].GetProperty("next").GetArrayLength().ShouldBe(0);
        shown["text"].Text("problem")!.ShouldContain("cannot be read");

        var paused = await Http.PostAsync($"/queues/{_queue}/schedules/zone/pause", "");
        (paused.Status, paused.Json.GetProperty("paused").GetBoolean()).ShouldBe((200, true));
        (await Http.PostAsync($"/queues/{_queue}/schedules/zone/resume", "")).Status.ShouldBe(400);
        (await Http.PostAsync($"/queues/{_queue}/schedules/text/pause", "")).Status.ShouldBe(400);
        (await PutAsync("text", new { cron = "0 0 1 1 *", time_zone = "UTC" })).Status.ShouldBe(200);
        (await PutAsync("zone", new { cron = "0 0 1 1 *", time_zone = "UTC" })).Json.GetProperty("problem")
            .ValueKind.ShouldBe(JsonValueKind.Null);
        (await Http.RemoveAsync($"/queues/{_queue}/schedules/zone")).Status.ShouldBe(204);
    }

    [Fact]
    public async Task A_schedule_runs_on_request_without_changing_its_ticks()
    {
        var before = (await PutAsync("s", new { cron = "0 0 1 1 *", dedupe_key = "k" })).Json;
        var run = await Http.PostAsync($"/queues/{_queue}/schedules/s/run", "");
        run.Status.ShouldBe(202, run.Text);
        (await Http.PostAsync($"/queues/{_queue}/schedules/s/run", "")).Json.Text("status").ShouldBe("duplicate");
        (await Http.ClaimAsync(_queue)).Single().Id().ShouldBe(run.Json.Id());
        JsonElement.DeepEquals((await Http.ReadAsync($"/queues/{_queue}/schedules/s")).Json.GetProperty("next"), before.GetProperty("next"))
            .ShouldBeTrue();
    }

    [Fact]
    public async Task A_change_that_leaves_cron_zone_and_pause_alone_leaves_the_next_tick_alone()
    {
        await PutAsync("s", new { cron = "0 0 1 1 *", action = "a" });
        var planned = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(1).AddHours(1); // no tick of the expression
        await using (var db = stack.Database.CreateContext())
        {
            (await db.Schedules.SingleAsync(s => s.Queue == _queue && s.Name == "s")).NextAt = planned;
            await db.SaveChangesAsync();
        }

        NextOf(await PutAsync("s", new { cron = "0 0 1 1 *", action = "b" })).ShouldBe(planned);
        NextOf(await Http.PostAsync($"/queues/{_queue}/schedules/s/resume", "")).ShouldBe(planned); // it runs
        NextOf(await PutAsync("s", new { cron = "0 2 1 1 *", action = "b" })).Hour.ShouldBe(2);
    }

    [Fact]
    public async Task A_schedule_is_replaced_and_deleted()
    {
        await PutAsync("s", new { cron = "0 0 1 1 *", description = "d" });
        var replaced = await PutAsync("s", new { cron = "0 1 * * *", expected_version = 1 });
        (replaced.Status, replaced.Json.Whole("version"), replaced.Json.Text("description"), replaced.Json.Text("time_zone"))
            .ShouldBe((200, 2, "", "UTC"));
        Problems.Expect(await PutAsync("s", new { cron = "0 1 * * *", expected_version = 1 }), 409, "version_mismatch");
        (await Http.RemoveAsync($"/queues/{_queue}/schedules/s")).Status.ShouldBe(204);
        Problems.Expect(await Http.RemoveAsync($"/queues/{_queue}/schedules/s"), 404, "not_found");
        Problems.Expect(await Http.ReadAsync($"/queues/{_queue}/schedules/s"), 404, "not_found");
    }

    [Theory]
    [InlineData("""{"cron":"61 * * * *"}""", "invalid_schedule")]
    [InlineData("""{"cron":"* * * * *","time_zone":"Mars/X"}""", "invalid_schedule")]
    [InlineData("""{}""", "invalid_request")]
    [InlineData("""{"cron":"* * * * *","priority":"urgent"}""", "invalid_request")]
    [InlineData("""{"cron":"* * * * *","max_attempts":0}""", "invalid_task")]
    [InlineData("""{"cron":"* * * * *","tier":-1}""", "invalid_task")]
    [InlineData("""{"cron":"* * * * *","lease_seconds":0}""", "invalid_request")]
    [InlineData("""{"cron":1}""", "invalid_request")]
    [InlineData("""{"cron":"* * * * *","timezone":"UTC"}""", "invalid_request")]
    public async Task An_invalid_schedule_is_refused_and_changes_nothing(string body, string code)
    {
        Problems.Expect(await Http.PutAsync($"/queues/{_queue}/schedules/s", body), 400, code);
        (await Http.ReadAsync($"/queues/{_queue}/schedules/s")).Status.ShouldBe(404);
        Problems.Expect(await Http.PutAsync($"/queues/{_queue}/schedules/a%20b", """{"cron":"* * * * *"}"""), 400, "invalid_request");
        Problems.Expect(await Http.PutAsync($"/queues/{_queue}x/schedules/s", """{"cron":"* * * * *"}"""), 404, "not_found");
    }

    private static DateTime NextOf(Reply reply) => reply.Json.GetProperty("next")[0].GetDateTime();

    private Task<Reply> PutAsync(string name, object settings) => Http.PutAsync($"/queues/{_queue}/schedules/{name}", settings);
}

public sealed class SchedulesApiOnSqlite(SqliteStack stack) : SchedulesApiTests(stack), IClassFixture<SqliteStack>;

public sealed class SchedulesApiOnSplitRoles(SplitStack stack) : SchedulesApiTests(stack), IClassFixture<SplitStack>;
