using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shouldly;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Ten thousand random requests: never a 5xx, and no row without a response that reports it.</summary>
public abstract class FuzzTests(Stack stack)
{
    private const int Requests = 10_000;
    private const int Clients = 8;

    private static readonly string[] Methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"];

    private static readonly string[] Bodies =
    [
        """{"action":"uppercase","data":{"text":"hello"}"""
            + ""","queue":"fuzz","priority":"high","scheduled_at":"2030-01-31T12:00:00Z","expires_at":null,"max_attempts":3}""",
        """{"tasks":[{"action":"a","queue":"fuzz:2"},{"action":1,"data":[1,2]}]}""",
        """{"queues":["fuzz","fuzz:2"],"worker":"w","max":10,"lease_seconds":20,"wait_seconds":0}""",
        """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000000","attempt":1,"lease_seconds":5}]}""",
        """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000000","attempt":1,"outcome":"failed","error":"e","retryable":false}]}""",
        """{"delivery":"pull"}""",
        """{"description":"d","lease_seconds":5,"max_attempts":2,"retry":{"intervals":[1,2]},"max_running":3"""
            + ""","rate":{"tokens":5,"interval_seconds":1},"paused":false,"dead_letters":{"enabled":true,"max_size":2}"""
            + ""","events":"terminal","tiers":{"1":{"priority":"low"}}}""",
        """{"action":"a","queue":"fuzz:1","dedupe_key":"k","overwrite":["payload","scheduled_at"]"""
            + ""","ordering_key":"t","lease_seconds":3,"retry":{"first":1,"factor":2,"cap":9,"jitter":0.5}}""",
        """{"name":"fuzz1","keepalive_timeout_in_seconds":15,"retry_strategy":{"retry_intervals_in_seconds":[1]}"""
            + ""","dequeuing_settings":{"max_in_progress_tasks":3,"rate_limiting":"""
            + """{"max_tokens":1,"interval":1,"interval_unit":"MINUTES"}}"""
            + ""","dead_letter_queue_config":{"enable":true,"retention_period_in_seconds":60}}""",
        """{"queue_name":"fuzz1","batch_size":3,"task_ids":["tsk_BAAAAAAAAAA"],"entries":[{"payload":"p","scheduled_at":0"""
            + ""","thread_id":"t","task_id":"tsk_BAAAAAAAAAA","attempt":1,"status":"FAILED","retry_strategy":{}}]}""",
        """{"cron":"*/5 * * * *","time_zone":"Europe/Berlin","data":{"a":1},"dedupe_key":"k","paused":true}""",
    ];

    private static readonly string[] Values =
        ["null", "true", "false", "0", "-1", "1e308", "1e-308", "99999999999999999999", "\"\"", "\"\\u0000\"", "\"\\ud800\"", "[]", "{}",
            "[[[[]]]]", "\"fuzz\"", "\"9999-12-31T23:59:59Z\"", "\"a:b:c\"", "{\"a\":1}"];

    private static readonly string[] Verbs = ["pause", "resume", "redrive", "tasks?list=dead&limit=3"];

    private static readonly string[] Rpcs =
        ["CreateQueue", "Enqueue", "Enqueue", "Dequeue", "ReportStatus", "GetTask", "ListTasks", "DeleteTasks", "RestartTasks", "GetQueue",
            "UpdateQueue", "ListQueues", "CreateSchedule", "ListSchedules", "Nothing"];

    private int _tasks, _queues;

    [Fact]
    public async Task Ten_thousand_random_requests_do_no_harm()
    {
        // Some requests delete a queue with its tasks: their rows stay, so that each can be counted.
        await stack.Host.Services.GetServices<IHostedService>().OfType<MaintenanceServer>().Single().StopAsync(CancellationToken.None);
        var seed = Random.Shared.Next();
        var faults = await Task.WhenAll(Enumerable.Range(0, Clients).Select(i => Task.Run(() => RunAsync(new Random(seed + i)))));
        faults.OfType<string>().ShouldBeEmpty($"seed {seed}");
        _tasks.ShouldBeGreaterThan(20, $"seed {seed}: hardly a body was valid");

        await using var db = stack.Database.CreateContext();
        (await db.Tasks.CountAsync()).ShouldBe(_tasks, $"seed {seed}");
        (await db.Queues.CountAsync()).ShouldBe(1 + _queues, $"seed {seed}");
        var tasks = (await db.Submitted.Select(t => t.CorrelationId).ToListAsync()).ToHashSet();
        tasks.Count.ShouldBe(_tasks, $"seed {seed}: each is somewhere");
        (await db.EventsAsync()).Count(e => !tasks.Contains(e.TaskId)).ShouldBe(0, $"seed {seed}");
    }

    /// <returns>The first unexpected response, or null.</returns>
    private async Task<string?> RunAsync(Random random)
    {
        for (var i = 0; i < Requests / Clients; i++)
        {
            var (method, path) = Route(random);
            var body = Body(random);
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new("application/json");
            using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = content };
            using var response = await stack.Http.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            if ((int)response.StatusCode >= 500 && path != "/moab/Nothing")
                return $"{method} {path} {Encoding.Latin1.GetString(body)} -> {(int)response.StatusCode} {text}";
            if (response.IsSuccessStatusCode)
                Count(method, path, (int)response.StatusCode, text);
        }

        return null;
    }

    private void Count(string method, string path, int status, string text)
    {
        path = path.Split('?')[0];
        var json = text.Length > 0 ? JsonSerializer.Deserialize<JsonElement>(text) : default;
        if (method == "POST" && path == "/tasks" && json.Text("status") == "queued")
            Interlocked.Increment(ref _tasks);
        else if (method == "POST" && path == "/tasks/bulk")
            Interlocked.Add(ref _tasks, json.GetProperty("results").EnumerateArray().Count(r => r.GetString() == "queued"));
        else if (path == "/moab/Enqueue")
            Interlocked.Add(ref _tasks, json.GetProperty("tasks").GetArrayLength());
        else if (path == "/moab/CreateQueue")
            Interlocked.Increment(ref _queues);
        else if (method == "PUT" && status == 201 && path.Split('/').Length == 3)
            Interlocked.Increment(ref _queues);
        else if (method == "DELETE" && path.StartsWith("/queues/", StringComparison.Ordinal) && path.Split('/').Length == 3)
            Interlocked.Decrement(ref _queues);
    }

    private static (string Method, string Path) Route(Random random)
    {
        var path = random.Next(14) switch
        {
            0 or 1 => "/tasks",
            2 => "/tasks/bulk",
            3 => "/workers/claim",
            4 => "/workers/heartbeat",
            5 => "/workers/report",
            6 => random.Next(2) == 0 ? "/queues" : "/queues/" + Name(random),
            7 => "/tasks/" + Name(random),
            10 => $"/queues/{Name(random)}/{Verbs[random.Next(Verbs.Length)]}",
            12 or 13 => "/moab/" + Rpcs[random.Next(Rpcs.Length)],
            11 => $"/queues/fuzz{random.Next(20)}/schedules/{Name(random)}",
            8 => $"/tasks/{Name(random)}/{(random.Next(2) == 0 ? "cancel" : "retry")}",
            _ => "/tasks?status=" + Name(random),
        };
        var usual = path.StartsWith("/queues/", StringComparison.Ordinal)
            && (path.Contains("/schedules/", StringComparison.Ordinal) || path.Count(c => c == '/') == 2) ? "PUT" : "POST";
        return (random.Next(4) == 0 ? Methods[random.Next(Methods.Length)] : usual, path);
    }

    private static string Name(Random random) => random.Next(5) switch
    {
        0 => "01a20000-0000-4000-8000-000000000000",
        1 => "fuzz" + random.Next(20),
        2 => "completed",
        3 => Uri.EscapeDataString(new string([.. Enumerable.Range(0, random.Next(1, 90)).Select(_ => (char)random.Next(33, 0x7FF))])),
        _ => Guid.NewGuid().ToString(),
    };

    private static byte[] Body(Random random) => random.Next(4) switch
    {
        0 => RandomBytes(random),
        1 => Encoding.UTF8.GetBytes(RandomJson(random, 0)),
        2 => Mutated(random),
        _ => Encoding.UTF8.GetBytes(Swapped(random)),
    };

    private static byte[] RandomBytes(Random random)
    {
        var bytes = new byte[random.Next(200)];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>A valid body with some bytes changed, doubled or left out.</summary>
    private static byte[] Mutated(Random random)
    {
        var bytes = Encoding.UTF8.GetBytes(Bodies[random.Next(Bodies.Length)]).ToList();
        for (var i = random.Next(4); i > 0; i--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(3))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes.Insert(at, bytes[random.Next(bytes.Count)]); break;
                default: bytes.RemoveAt(at); break;
            }
        }

        return [.. bytes];
    }

    /// <summary>A valid body with other values: the right members of the wrong kind.</summary>
    private static string Swapped(Random random)
    {
        var members = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(Bodies[random.Next(Bodies.Length)])!;
        return "{" + string.Join(',',
            members.Select(m => $"\"{m.Key}\":{(random.Next(4) == 0 ? Values[random.Next(Values.Length)] : m.Value.GetRawText())}")) + "}";
    }

    private static string RandomJson(Random random, int depth) => random.Next(depth > 4 ? 1 : 4) switch
    {
        0 => Values[random.Next(Values.Length)],
        1 => $"[{string.Join(',', Enumerable.Range(0, random.Next(4)).Select(_ => RandomJson(random, depth + 1)))}]",
        _ => $"{{{string.Join(',', Enumerable.Range(0, random.Next(4)).Select(_ => RandomMember(random, depth)))}}}",
    };

    private static string RandomMember(Random random, int depth) => $"\"{Member(random)}\":{RandomJson(random, depth + 1)}";

    private static string Member(Random random) =>
        "action data queue priority tasks queues worker max id attempt outcome result error delivery x".Split(' ')[random.Next(15)];
}

public sealed class FuzzOnSqlite(SqliteStack stack) : FuzzTests(stack), IClassFixture<SqliteStack>;

public sealed class FuzzOnServers(ServersStack stack) : FuzzTests(stack), IClassFixture<ServersStack>;
