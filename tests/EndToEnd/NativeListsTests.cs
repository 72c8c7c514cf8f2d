using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Native lists of batches and schedules, and callbacks that are sent again.</summary>
public abstract class NativeListsTests(Stack stack)
{
    private readonly string _queue = $"l{Guid.NewGuid():N}"[..12];

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Batches_are_listed_in_pages_and_cancelled()
    {
        await Http.PutAsync($"/queues/{_queue}", new { });
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
            ids.Add(await BatchAsync());

        var first = (await Http.ReadAsync($"/batches?queue={_queue}&limit=2")).Json;
        first.GetProperty("batches").EnumerateArray().Select(b => b.Text("id")).ShouldBe([ids[2], ids[1]]);
        var second = (await Http.ReadAsync($"/batches?queue={_queue}&limit=2&cursor={first.Text("next_cursor")}")).Json;
        second.GetProperty("batches").EnumerateArray().Select(b => b.Text("id")).ShouldBe([ids[0]]);
        second.Text("next_cursor").ShouldBeNull();

        await Eventually.UntilAsync(async () =>
            (await Http.ReadAsync($"/batches/{ids[0]}")).Json is var batch && batch.Text("state") == "in_progress"
                && batch.Whole("total") == 2,
            TestHttp.Patience, "the batch runs");
        var cancelled = await Http.PostAsync($"/batches/{ids[0]}/cancel", "");
        cancelled.Status.ShouldBe(202, cancelled.Text);
        await Eventually.UntilAsync(async () => (await Http.ReadAsync($"/batches/{ids[0]}")).Json.Text("state") == "cancelled",
            TestHttp.Patience, "the batch is cancelled");
        (await Http.PostAsync($"/batches/{ids[0]}/cancel", "")).Status.ShouldBe(409);
        (await Http.ReadAsync("/batches/BATCH-1-2-3")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task Schedules_of_all_queues_are_listed_in_pages()
    {
        var queues = new[] { $"{_queue}-a", $"{_queue}-b" };
        foreach (var queue in queues)
        {
            await Http.PutAsync($"/queues/{queue}", new { });
            foreach (var name in new[] { "x", "y" })
                (await Http.PutAsync($"/queues/{queue}/schedules/{name}", new { cron = "0 8 * * *" })).Status.ShouldBe(201);
        }

        var seen = new List<(string?, string?)>();
        string? cursor = null;
        do
        {
            var page = (await Http.ReadAsync($"/schedules?limit=1{(cursor is null ? "" : $"&cursor={cursor}")}")).Json;
            seen.AddRange(page.GetProperty("schedules").EnumerateArray().Select(s => (s.Text("queue"), s.Text("name"))));
            cursor = page.Text("next_cursor");
        }
        while (cursor is not null);
        seen.Where(s => queues.Contains(s.Item1)).ShouldBe([(queues[0], "x"), (queues[0], "y"), (queues[1], "x"), (queues[1], "y")]);

        var next = (await Http.ReadAsync($"/queues/{queues[0]}/schedules/x/next?count=3")).Json.GetProperty("next");
        next.EnumerateArray().Select(t => t.GetDateTime().TimeOfDay).ShouldBe(Enumerable.Repeat(TimeSpan.FromHours(8), 3));
        (await Http.PostAsync($"/queues/{queues[0]}/schedules/x/pause", "")).Status.ShouldBe(200);
        (await Http.ReadAsync($"/queues/{queues[0]}/schedules/x/next")).Json.GetProperty("next").GetArrayLength().ShouldBe(0);
        (await Http.ReadAsync($"/queues/{queues[0]}/schedules/z/next")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task A_cron_expression_can_be_tried()
    {
        const string Query = "cron=30%2012%20*%20*%201-5&time_zone=America/New_York";
        var ticks = (await Http.ReadAsync($"/schedules/preview?{Query}")).Json.GetProperty("next");
        ticks.GetArrayLength().ShouldBe(5);
        ticks.EnumerateArray().Select(t => TimeZoneInfo.ConvertTimeFromUtc(t.GetDateTime(),
            TimeZoneInfo.FindSystemTimeZoneById("America/New_York")).TimeOfDay).ShouldAllBe(t => t == new TimeSpan(12, 30, 0));
        foreach (var wrong in new[] { "cron=61%20*%20*%20*%20*", "cron=0%208%20*%20*%20*&time_zone=Mars/Olympus" })
            (await Http.ReadAsync($"/schedules/preview?{wrong}")).Json.Text("code").ShouldBe("invalid_schedule");
    }

    [Theory]
    [InlineData("/schedules/preview")]
    [InlineData("/schedules/preview?cron=0%208%20*%20*%20*&count=101")]
    [InlineData("/schedules?limit=0")]
    [InlineData("/schedules?limit=201")]
    [InlineData("/schedules?cursor=%25")]
    [InlineData("/schedules?cursor=YQ")]
    [InlineData("/schedules?page=2")]
    [InlineData("/batches?limit=x")]
    [InlineData("/batches?cursor=1-x")]
    [InlineData("/batches?state=failed")]
    [InlineData("/batches?queue=a%20b")]
    [InlineData("/queues/a/schedules/b/next?count=x")]
    [InlineData("/callbacks?state=done")]
    [InlineData("/callbacks?queue=a%20b")]
    [InlineData("/callbacks?cursor=5")]
    [InlineData("/callbacks?cursor=cb_x")]
    [InlineData("/callbacks?limit=0")]
    [InlineData("/callbacks?task=1")]
    public async Task Bad_queries_are_refused(string path)
    {
        var reply = await Http.ReadAsync(path);
        (reply.Status, reply.Json.Text("code")).ShouldBe((400, "invalid_request"), reply.Text);
    }

    [Fact]
    public async Task A_callback_can_be_sent_again()
    {
        await using var receiver = await TestReceiver.StartAsync();
        receiver.Answer = (context, count) =>
        {
            context.Response.StatusCode = count == 1 ? 400 : 200;
            return Task.CompletedTask;
        };
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue, callback_url = $"{receiver.Url}/hook" });
        var task = (await Http.ClaimAsync(_queue, wait_seconds: 10)).Single();
        await Http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "completed", result = 7 });
        var callback = await Http.CallbackAsync(id, c => c.Text("state") == "failed");

        var path = $"/tasks/{id}/callbacks/{callback.Text("id")}/resend";
        var resent = await Http.PostAsync(path, "");
        (resent.Status, resent.Json.Text("state")).ShouldBe((202, "waiting"), resent.Text);
        (await Http.ReadAsync($"/audit?action=callback.resend&target=task/{id}/callback/{callback.Text("id")}")).Json
            .GetProperty("records")[0].Text("result").ShouldBe("done");
        var delivered = await Http.CallbackAsync(id, c => c.Text("state") == "delivered");
        delivered.GetProperty("log").GetArrayLength().ShouldBe(2);
        receiver.All.Select(r => r.Body).Distinct().Count().ShouldBe(1);
        var listed = (await Http.ReadAsync($"/callbacks?queue={_queue}&state=delivered")).Json.GetProperty("callbacks");
        var only = listed.EnumerateArray().ShouldHaveSingleItem();
        (only.Text("id"), only.Text("task_id"), only.Text("queue"), only.Text("state"), only.GetProperty("log").GetArrayLength())
            .ShouldBe((callback.Text("id"), $"{id}", _queue, "delivered", 2));
        (await Http.ReadAsync($"/callbacks?queue={_queue}&state=failed")).Json.GetProperty("callbacks").GetArrayLength().ShouldBe(0);
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = Http.BaseAddress!)
            .BuildServiceProvider();
        var client = services.GetRequiredService<TaskQueueClient>();
        var typed = (await client.CallbacksAsync(new CallbackQuery { Queue = _queue, State = "delivered" }).ToListAsync())
            .ShouldHaveSingleItem();
        (typed.TaskId, typed.Queue, typed.Log[^1].Status).ShouldBe((id, _queue, 200));
        (await client.TaskCallbacksAsync(id)).ShouldHaveSingleItem().TaskId.ShouldBe(id);
        (await client.ResendCallbackAsync(id, typed.Id)).State.ShouldBe("waiting");
        (await Http.PostAsync($"/tasks/{id}/callbacks/cb_999999999/resend", "")).Status.ShouldBe(404);
        (await Http.PostAsync($"/tasks/{id}/callbacks/1/resend", "")).Status.ShouldBe(404);
    }

    private static string Line(int number) =>
        $$$"""{"custom_id":"r{{{number}}}","method":"POST","url":"/v1/x","body":{"model":"m"}}""" + "\n";

    private async Task<string> BatchAsync()
    {
        using var form = new MultipartFormDataContent
        {
            { new StringContent("batch"), "purpose" },
            { new StringContent(string.Concat(Enumerable.Range(0, 2).Select(Line)), Encoding.UTF8), "file", "lines.jsonl" },
        };
        var file = (await Http.SendAsync(HttpMethod.Post, "/v1/files", form)).Json.Text("id");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/batches")
        {
            Content = System.Net.Http.Json.JsonContent.Create(new { input_file_id = file, endpoint = "/v1/x", completion_window = "24h" }),
        };
        request.Headers.Add("X-BELLA-QUEUE-NAME", _queue);
        using var answer = await Http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return System.Text.Json.JsonDocument.Parse(text).RootElement.TryGetProperty("id", out var id) ? id.GetString()!
            : throw new InvalidOperationException(text);
    }
}

/// <summary>SQLite, with receivers on this machine.</summary>
public sealed class ListsOnSqliteStack() : Stack(TaskQueue.Storage.DatabaseProvider.Sqlite, null as string)
{
    protected override Dictionary<string, string?> Settings => new(base.Settings) { ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true" };
}

/// <summary>PostgreSQL and RabbitMQ, with receivers on this machine.</summary>
public sealed class ListsOnServersStack() : Stack(TaskQueue.Storage.DatabaseProvider.Postgres, null as string)
{
    protected override Dictionary<string, string?> Settings => new(base.Settings) { ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true" };
}

public sealed class NativeListsOnSqlite(ListsOnSqliteStack stack) : NativeListsTests(stack), IClassFixture<ListsOnSqliteStack>;

public sealed class NativeListsOnServers(ListsOnServersStack stack) : NativeListsTests(stack), IClassFixture<ListsOnServersStack>;
