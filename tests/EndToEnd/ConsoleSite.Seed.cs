using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Workers;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What the server has to show.</summary>
public sealed partial class ConsoleSite
{
    private const string Stack = "   at Shop.Mailer.SendAsync(Message message) in Mailer.cs:line 71\n"
        + "   at Shop.Worker.RunAsync(QueuedTask task) in Worker.cs:line 38";

    private static readonly int[] RetryAfter = [1, 10];

    private const int BatchLines = 20, BatchLinesDone = 12;

    /// <summary>A task that failed for good, with a large number in its payload.</summary>
    internal Guid Failed { get; private set; }

    /// <summary>A task whose callback was delivered.</summary>
    internal Guid WithCallback { get; private set; }

    /// <summary>A batch that is half done.</summary>
    internal string Batch { get; private set; } = "";

    /// <summary>Claims tasks as a worker does.</summary>
    internal async Task<List<JsonElement>> ClaimAsync(string queue, string worker, int max = 1)
    {
        var info = new { version = "2.4.1", host = $"node-{worker[^1]}", slots = 8 };
        var claim = new { queues = new[] { queue }, worker, max, wait_seconds = 2, lease_seconds = 900, info };
        return [.. (await CallAsync("POST", "/workers/claim", claim)).Json.GetProperty("tasks").EnumerateArray()];
    }

    /// <summary>Claims tasks and reports them; returns their number.</summary>
    internal async Task<int> RunAsync(string queue, string worker, Func<JsonElement, object> outcome, int max = 1)
    {
        var tasks = await ClaimAsync(queue, worker, max);
        if (tasks.Count > 0)
            await CallAsync("POST", "/workers/report", new { tasks = tasks.Select(outcome) });
        return tasks.Count;
    }

    internal static object Completed(JsonElement task, object? result = null) =>
        new { id = task.Id(), attempt = task.Whole("attempt"), outcome = "completed", result };

    internal static object Failing(JsonElement task, string type, string error, bool retryable) => new
    {
        id = task.Id(), attempt = task.Whole("attempt"), outcome = "failed", error, retryable, error_type = type, stack = Stack,
        logs = new[] { new { level = "info", message = "connecting to mail.example.com" }, new { level = "error", message = error } },
    };

    /// <summary>Creates a batch of lines that ask a model.</summary>
    internal async Task<string> CreateBatchAsync()
    {
        var lines = string.Concat(Enumerable.Range(1, BatchLines).Select(i =>
            $$$"""{"custom_id":"r{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","n":{{{i}}}}}""" + "\n"));
        using var content = new MultipartFormDataContent
        {
            { new StringContent("batch"), "purpose" }, { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "requests.jsonl" },
        };
        using var upload = new HttpRequestMessage(HttpMethod.Post, "/v1/files") { Content = content };
        var file = (await SendAsync(upload)).Json.Text("id");
        var batch = new { input_file_id = file, endpoint = "/v1/chat/completions", completion_window = "24h" };
        using var create = new HttpRequestMessage(HttpMethod.Post, "/v1/batches")
        {
            Content = new StringContent(JsonSerializer.Serialize(batch), Encoding.UTF8, "application/json"),
        };
        create.Headers.Add("X-BELLA-QUEUE-NAME", "chat");
        return (await SendAsync(create)).Json.Text("id")!;
    }

    private async Task SeedAsync()
    {
        await DeclareAsync();
        Failed = await SubmitAsync(
            """
            {"queue": "mails", "action": "send", "max_attempts": 2, "tags": ["order:4711", "eu"],
             "data": {"to": "ann@example.com", "customer": 9007199254740993123, "total": 12.50, "items": [{"sku": "A-17", "count": 2}]}}
            """);
        await RunAsync("mails", "mailer-1", t => Failing(t, "Smtp.Busy", "421 mail.example.com: try again later", retryable: true));
        Batch = await CreateBatchAsync();
        await CountAsync();
        await SetAsideAsync();
        await SubmitAsync("""{"queue": "reports", "action": "close", "ordering_key": "2026-10", "data": {"month": "2026-10"}}""");
        await RunImagesAsync();
        WithCallback = await SubmitAsync(
            $$"""{"queue": "receipts", "action": "print", "data": {"order": 4711}, "callback_url": "{{Receiver.Url}}/printed"}""");
        await RunAsync("receipts", "printer-1", t => Completed(t, new { pages = 2 }));
        await Eventually.UntilAsync(
            async () => await RunAsync("mails", "mailer-2",
                t => Failing(t, "Smtp.NoMailbox", "550 mail.example.com: no such mailbox", retryable: false)) > 0,
            TestHttp.Patience, "the second attempt is claimed");
        for (var i = 0; i < 5; i++)
            await SubmitAsync("""{"queue": "mails", "action": "send", "data": {"to": "bob@example.com"}}""");
        await RunBatchAsync();
        var ids = new[] { await SubmitAsync("drafts", "render"), await SubmitAsync("drafts", "render") };
        await CallAsync("POST", "/operations", new { action = "cancel", selection = new { ids } });
        await SeenAsync();
    }

    private async Task<Guid> SubmitAsync(string body) => (await CallAsync("POST", "/tasks", body)).Json.Id();

    private async Task DeclareAsync()
    {
        await CallAsync("PUT", "/queues/mails", new
        {
            description = "Transactional mail", max_running = 32, rate = new { tokens = 600, interval_seconds = 60 },
            retry = new { intervals = RetryAfter },
        });
        await CallAsync("POST", "/v1/queue/register", new { queue = "chat", endpoint = "/v1/chat/completions" });
        await CallAsync("PUT", "/queues/images", new { description = "Thumbnails", rate = new { tokens = 100, interval_seconds = 60 } });
        await CallAsync("PUT", "/queues/reports", new { paused = true, description = "Held until the month is closed" });
        await CallAsync("PUT", "/queues/mails/schedules/digest", new
        {
            // Rarely: a tick while the tests run would add a task to a queue whose tasks they count.
            cron = "0 8 1 1 *", time_zone = "Europe/Berlin", action = "digest", description = "Yearly digest",
            data = new { kind = "all" },
        });
        await CallAsync("PUT", "/queues/reports/schedules/monthly", new { cron = "*/15 2-6 1 * *", action = "close", paused = true });
        await CallAsync("POST", "/keys", new { name = "shop-backend", tenant = "shop", scopes = KeyServer.List("enqueue", "read") });
    }

    /// <summary>Eight are done, two have failed, two run, two wait.</summary>
    private async Task RunImagesAsync()
    {
        await CallAsync("POST", "/tasks/bulk", new
        {
            tasks = Enumerable.Range(1, 14).Select(i => new { queue = "images", action = "resize", data = new { image = i, width = 640 } }),
        });
        await RunAsync("images", "resizer-1", t => Completed(t), max: 8);
        await RunAsync(
            "images", "resizer-2", t => Failing(t, "TimeoutError", "the image was not read within 30 s", retryable: false), max: 2);
        var running = (await ClaimAsync("images", "resizer-3", 2)).ConvertAll(
            t => new { id = t.Id(), attempt = t.Whole("attempt"), progress = new { percent = 40 } });
        await CallAsync("POST", "/workers/heartbeat", new { tasks = running });
    }

    private async Task RunBatchAsync()
    {
        var done = 0;
        var answer = new { status_code = 200, request_id = "1", body = new { text = "yes" } };
        await Eventually.UntilAsync(
            async () => (done += await RunAsync("chat:1", "model-1", t => Completed(t, answer), BatchLinesDone - done)) == BatchLinesDone,
            TestHttp.Patience, "lines of the batch are done");
    }

    /// <summary>An hour of mails.</summary>
    private async Task CountAsync()
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var minute = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMinute));
        var rows = Enumerable.Range(1, 59).Select(i =>
        {
            var counts = new long[StatisticsCounts.Length];
            counts[StatisticsCounts.Submitted] = (long)(600 + (250 * Math.Sin(i / 6.0)));
            counts[StatisticsCounts.Completed] = (long)(590 + (200 * Math.Sin((i + 3) / 6.0)));
            counts[StatisticsCounts.Failed] = i % 9 == 0 ? 40 : 3;
            return new MinuteCounts("mails", "", minute.AddMinutes(-i), counts)
            {
                Waiting = 100, OldestMs = (long)(9000 + (8000 * Math.Sin((i + 5) / 6.0))),
            };
        });
        await Host.Services.GetRequiredService<IStatisticsStore>().AddAsync([.. rows], CancellationToken.None);
    }

    /// <summary>A lost worker, and a message that was no task.</summary>
    private async Task SetAsideAsync()
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        await using (var db = _database.CreateContext())
        {
            db.Workers.Add(new WorkerRecord
            {
                Id = Convert.ToHexStringLower(SHA256.HashData("resizer-0"u8)), Name = "resizer-0", Transport = "http", Version = "2.3.9",
                Host = "node-0", Slots = 8, Queues = "images", StartedAt = now.AddHours(-9), LastSeenAt = now.AddHours(-2),
                State = WorkerState.Lost, LostRetried = 3, LostAt = now.AddHours(-2),
            });
            await db.SaveChangesAsync();
        }

        await QuarantineAsync("orders-queue-17", "the message is no task: 'queue' is missing");
    }

    internal Task QuarantineAsync(string subject, string reason) =>
        Host.Services.GetRequiredService<IQuarantine>().AddAsync(
            new QuarantinedItem { Kind = "message", Subject = subject, Queue = "mails", Reason = reason }, CancellationToken.None);

    /// <summary>Waits for what the server does afterwards.</summary>
    private async Task SeenAsync()
    {
        await Eventually.UntilAsync(
            async () => (await CallAsync("GET", $"/tasks/{WithCallback}/callbacks")).Json.GetProperty("callbacks").EnumerateArray()
                .Any(c => c.Text("state") == "delivered"),
            TestHttp.Patience, "the callback is delivered");
        await Eventually.UntilAsync(
            async () => (await CallAsync("GET", "/failures")).Json.GetProperty("groups").GetArrayLength() >= 3,
            TestHttp.Patience, "failures are grouped");
        await Eventually.UntilAsync(
            async () => (await CallAsync("GET", "/workers")).Json.GetProperty("workers").GetArrayLength() >= 5,
            TestHttp.Patience, "workers are listed");
    }
}
