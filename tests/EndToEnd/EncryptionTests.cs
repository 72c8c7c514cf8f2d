using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Payloads, results, errors and files encrypted at rest, from the request to the database and the disk.
/// </summary>
public sealed partial class EncryptionTests
{
    private const string Marker = "marker-4e1d7c";
    private static readonly string[] Payload = ["payload"];
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public static TheoryData<DatabaseProvider> Providers => [DatabaseProvider.Sqlite, DatabaseProvider.Postgres];

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Everything_works_and_nothing_is_stored_in_plain_text(DatabaseProvider provider)
    {
        await using var stack = await EncryptionStack.CreateAsync(provider);
        await using (var host = await stack.StartAsync("k1", "k1"))
        {
            await CompleteWithCallbackAsync(host.Http);
            await FailAsync(host.Http);
            await OverwriteAsync(host.Http);
            await ScheduleAsync(host.Http);
            await BatchAsync(host.Http);
            await AnswerAsync(host.Http);
            var built = await host.Http.SubmitAsync(new { action = "uppercase", data = new { text = Marker } }); // dispatched over the bus
            (await host.Http.TaskAsync(built, "completed")).GetProperty("result").Text("output").ShouldBe(Marker.ToUpperInvariant());
            (await host.Http.ReadAsync("/tasks")).Text.ShouldContain(Marker);
            (await host.Http.ReadAsync("/queues/q/tasks?list=dead")).Text.ShouldContain(Marker);
            (await stack.FindAsync(Marker)).ShouldBeEmpty();
        }

        (await stack.FindAsync(Marker)).ShouldBeEmpty();
        (await stack.FindAsync("enc:v1:k1:")).ShouldNotBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Encryption_is_switched_on_rotated_and_switched_off_without_rewriting_anything(DatabaseProvider provider)
    {
        await using var stack = await EncryptionStack.CreateAsync(provider);
        var tasks = new List<Guid>();
        foreach (var (active, keys) in new (string?, string[])[] { (null, []), ("k1", ["k1"]), ("k2", ["k1", "k2"]), (null, ["k1", "k2"]) })
        {
            await using var host = await stack.StartAsync(active, keys);
            tasks.Add(await host.Http.SubmitAsync(new { action = "a", queue = "q", data = new { text = Marker } }));
            foreach (var task in tasks)
                (await host.Http.TaskAsync(task)).GetProperty("payload").GetProperty("data").Text("text").ShouldBe(Marker);
        }

        (await stack.StoredAsync(tasks[0], "payload")).ShouldNotBeNull().ShouldContain(Marker);
        (await stack.StoredAsync(tasks[1], "payload")).ShouldNotBeNull().ShouldStartWith("enc:v1:k1:");
        (await stack.StoredAsync(tasks[2], "payload")).ShouldNotBeNull().ShouldStartWith("enc:v1:k2:");
        (await stack.StoredAsync(tasks[3], "payload")).ShouldNotBeNull().ShouldContain(Marker);
        await using var last = await stack.StartAsync("k2", "k1", "k2");
        (await last.Http.ClaimAsync("q", max: 10)).Select(t => t.GetProperty("payload").GetProperty("data").Text("text"))
            .ShouldBe(Enumerable.Repeat(Marker, 4));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_missing_or_wrong_key_is_named_and_blocks_nothing_else(DatabaseProvider provider)
    {
        await using var stack = await EncryptionStack.CreateAsync(provider);
        Guid old, failed;
        await using (var host = await stack.StartAsync("k1", "k1"))
        {
            old = await host.Http.SubmitAsync(new { action = "a", queue = "q", data = Marker });
            failed = await host.Http.SubmitAsync(new { action = "a", queue = "other", data = 1 });
            var attempt = (await host.Http.ClaimAsync("other"))[0].Whole("attempt");
            await host.Http.TellAsync("report", new { id = failed, attempt, outcome = "failed", error = Marker, retryable = false });
        }

        await using (var host = await stack.StartAsync("k2", "k2"))
        {
            var read = await host.Http.ReadAsync($"/tasks/{old}");
            (read.Status, read.Text.Contains("key 'k1'", StringComparison.Ordinal)).ShouldBe((500, true), read.Text);
            var fresh = await host.Http.SubmitAsync(new { action = "a", queue = "q", data = 2 });
            (await host.Http.ClaimAsync("q", max: 10)).ShouldHaveSingleItem().Id().ShouldBe(fresh);
            (await host.Http.PostAsync($"/tasks/{failed}/retry", "")).Status.ShouldBe(200); // its old error need not be read
        }

        await using (var host = await stack.StartAsync("k1", "k1", "k2"))
        {
            var task = await host.Http.TaskAsync(old, "pending");
            task.GetProperty("payload").Text("data").ShouldBe(Marker);
            task.GetProperty("timeline").EnumerateArray().Select(step => step.Text("event")).ShouldBe(["submitted", "started", "snoozed"]);
        }

        stack.Exchange("k1");
        await using (var host = await stack.StartAsync("k1", "k1"))
            (await host.Http.ReadAsync($"/tasks/{old}")).Text.ShouldContain("does not open with key 'k1'");
    }

    [Fact]
    public async Task An_undecryptable_schedule_blocks_no_other_and_fires_once_its_key_returns()
    {
        await using var stack = await EncryptionStack.CreateAsync(DatabaseProvider.Sqlite);
        await using (var host = await stack.StartAsync("k1", "k1"))
        {
            (await host.Http.PutAsync("/queues/old", new { })).Status.ShouldBe(201);
            (await host.Http.PutAsync("/queues/old/schedules/s", new { cron = "* * * * * *", data = Marker })).Status.ShouldBe(201);
        }

        await stack.Database.ClearAsync();
        await using (var host = await stack.StartAsync("k2", "k2"))
        {
            (await host.Http.PutAsync("/queues/new", new { })).Status.ShouldBe(201);
            (await host.Http.PutAsync("/queues/new/schedules/s", new { cron = "* * * * * *", data = Marker })).Status.ShouldBe(201);
            await Eventually.UntilAsync(async () => (await host.Http.ClaimAsync("new")).Count > 0, Deadline, "the other schedule fires");
            (await host.Http.ClaimAsync("old")).ShouldBeEmpty();
            (await host.Http.ReadAsync("/queues/old/schedules/s")).Text.ShouldContain("key 'k1'");
        }

        await using (var host = await stack.StartAsync("k2", "k1", "k2"))
        {
            var task = (await host.Http.ClaimAsync("old", wait_seconds: 10))[0];
            task.GetProperty("payload").Text("data").ShouldBe(Marker);
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Rows_and_columns_that_were_swapped_are_refused(DatabaseProvider provider)
    {
        await using var stack = await EncryptionStack.CreateAsync(provider);
        await using var host = await stack.StartAsync("k1", "k1");
        var mine = await host.Http.SubmitAsync(new { action = "a", queue = "q", data = "mine" });
        var theirs = await host.Http.SubmitAsync(new { action = "a", queue = "q", data = Marker });

        await stack.ExecuteAsync($"update tasks set payload = '{await stack.StoredAsync(theirs, "payload")}' where payload = "
            + $"'{await stack.StoredAsync(mine, "payload")}'");
        var moved = await host.Http.ReadAsync($"/tasks/{mine}");
        (moved.Status, moved.Text.Contains(Marker, StringComparison.Ordinal)).ShouldBe((500, false));

        await stack.ExecuteAsync("update ready set progress = (select payload from tasks t where t.id = ready.id) "
            + $"where id in (select id from tasks where payload = '{await stack.StoredAsync(theirs, "payload")}')");
        (await host.Http.ReadAsync($"/tasks/{theirs}")).Status.ShouldBe(500);
    }

    [Fact]
    public async Task Texts_that_look_encrypted_are_treated_as_plain_text()
    {
        await using var stack = await EncryptionStack.CreateAsync(DatabaseProvider.Sqlite);
        foreach (var active in new[] { null, "k1" })
        {
            await using var host = await stack.StartAsync(active, "k1");
            var id = await host.Http.SubmitAsync(new { action = "a", queue = "q" });
            var attempt = (await host.Http.ClaimAsync("q"))[0].Whole("attempt");
            await host.Http.TellAsync("report", new { id, attempt, outcome = "failed", error = "enc:v1:k1:AAAA", retryable = false });

            var task = await host.Http.TaskAsync(id);
            task.Text("error").ShouldBe("enc:v1:k1:AAAA");
            task.GetProperty("timeline").EnumerateArray().Last().Text("error").ShouldBe("enc:v1:k1:AAAA");
        }
    }

    [Fact]
    public async Task An_undecryptable_callback_is_quarantined_and_sent_once_its_key_returns()
    {
        await using var receiver = await TestReceiver.StartAsync();
        await using var stack = await EncryptionStack.CreateAsync(DatabaseProvider.Sqlite);
        await using (var host = await stack.StartAsync("k1", "k1"))
        {
            var id = await host.Http.SubmitAsync(new { action = "a", queue = "q", callback_url = $"{receiver.Url}/x" });
            var attempt = (await host.Http.ClaimAsync("q"))[0].Whole("attempt");
            receiver.Answer = Refuse; // it remains to be sent
            (await host.Http.TellAsync("report", new { id, attempt, outcome = "completed", result = Marker })).ShouldBe(["ok"]);
            await Eventually.UntilAsync(() => Task.FromResult(!receiver.All.IsEmpty), Deadline, "it is tried");
        }

        var tried = receiver.All.Count;
        receiver.Answer = null;
        await using (var host = await stack.StartAsync(null))
        {
            JsonElement item = default;
            await Eventually.UntilAsync(async () =>
            {
                await stack.ExecuteAsync("update callbacks set due_at = 0 where state = 0"); // no need to wait for leases
                var items = (await host.Http.ReadAsync("/quarantine?kind=callback")).Json.GetProperty("items").EnumerateArray().ToList();
                item = items.FirstOrDefault();
                return items.Count == 1;
            }, Deadline, "it is set aside");
            item.Text("reason")!.ShouldContain("k1");
        }

        receiver.All.Count.ShouldBe(tried);
        await using (var host = await stack.StartAsync("k1", "k1"))
        {
            var item = (await host.Http.ReadAsync("/quarantine?kind=callback")).Json.GetProperty("items")[0];
            (await host.Http.PostAsync($"/quarantine/{item.GetProperty("id")}/release", "")).Status.ShouldBe(200);
            await Eventually.UntilAsync(() => Task.FromResult(receiver.All.Count > tried), Deadline, "it is sent");
        }

        receiver.All.Last().Body.ShouldBe($"\"{Marker}\"");
    }

    [Fact]
    public async Task An_invalid_key_stops_the_start()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = new Dictionary<string, string?>
        {
            ["TaskQueue:Encryption:ActiveKeyId"] = "k1", ["Logging:LogLevel:Default"] = "None",
        };
        var refused = await Should.ThrowAsync<Exception>(async () =>
            await (await TestHost.StartAsync(database.ConnectionString, settings: settings)).DisposeAsync());
        refused.Message.ShouldContain("ActiveKeyId names 'k1'");
    }

    private static Task Refuse(HttpContext context, int requests)
    {
        context.Response.StatusCode = 503;
        return Task.CompletedTask;
    }

    private static async Task CompleteWithCallbackAsync(HttpClient http)
    {
        await using var receiver = await TestReceiver.StartAsync();
        var id = await http.SubmitAsync(new { action = "a", queue = "q", data = new { text = Marker },
            callback_url = $"{receiver.Url}/x" });
        var claimed = (await http.ClaimAsync("q"))[0];
        claimed.GetProperty("payload").GetProperty("data").Text("text").ShouldBe(Marker);
        var attempt = claimed.Whole("attempt");
        (await http.TellAsync("heartbeat", new { id, attempt, progress = new { at = Marker } })).ShouldBe(["ok"]);
        (await http.TaskAsync(id)).GetProperty("progress").Text("at").ShouldBe(Marker);
        (await http.TellAsync("report", new { id, attempt, outcome = "completed", result = new { done = Marker } })).ShouldBe(["ok"]);
        (await http.TaskAsync(id)).GetProperty("result").Text("done").ShouldBe(Marker);
        await http.CallbackAsync(id, c => c.Text("state") == "delivered");
        receiver.All.ShouldHaveSingleItem().Body.ShouldBe($$"""{"done":"{{Marker}}"}""");
    }

    private static async Task FailAsync(HttpClient http)
    {
        var id = await http.SubmitAsync(new { action = "a", queue = "q", data = Marker });
        var attempt = (await http.ClaimAsync("q"))[0].Whole("attempt");
        await http.TellAsync("report", new { id, attempt, outcome = "failed", error = $"wrong: {Marker}", retryable = false });
        var task = await http.TaskAsync(id);
        task.Text("error").ShouldBe($"wrong: {Marker}");
        task.GetProperty("timeline").EnumerateArray().Last().Text("error").ShouldBe($"wrong: {Marker}");
    }
}
