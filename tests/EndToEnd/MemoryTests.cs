using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// A process with a heap of 768 MiB survives whatever its callers send and request at once, and another caller's tasks are accepted
/// throughout. It prints how long the slowest took: see docs/benchmarks.md.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class MemoryTests
{
    private const int MiB = 1024 * 1024;
    private const int Bulks = 16, BulkBytes = 60_000_000, Puts = 600, Uploads = 50, Tasks = 1000, TaskBytes = 1_000_000;
    private static readonly string[] Big = ["big"];
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);

    /// <summary>Far less than the duration of the load: waiting for its end would fail.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres)]
    public async Task No_caller_exhausts_the_memory_and_a_second_caller_is_served_throughout(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var server = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq: null,
            new Dictionary<string, string>
        {
            ["DOTNET_GCHeapHardLimit"] = (768 * MiB).ToString("X", CultureInfo.InvariantCulture),
            ["Logging:LogLevel:Default"] = "Warning",
            ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
        });
        using var http = new HttpClient { BaseAddress = server.Http.BaseAddress, Timeout = Deadline };
        await SeedAsync(http);
        (await http.PostAsync("/v1/queue/register", new { queue = "blocking", endpoint = "e" })).Status.ShouldBe(200);

        using var over = new CancellationTokenSource();
        var probing = ProbeAsync(server.Port, over.Token);
        using var callers = new CancellationTokenSource();
        var bulks = Enumerable.Range(0, Bulks).Select(_ => PostAsync(http, "/tasks/bulk", Bulk(), callers.Token)).ToList();
        var puts = Enumerable.Range(0, Puts).Select(_ => PutAsync(http, callers.Token)).ToList();
        var uploads = Enumerable.Range(0, Uploads)
            .Select(n => TrickleAsync(server.Port, n % 2 == 0 ? "/v1/files" : "/tasks/bulk", callers.Token)).ToList();
        var (list, newest, claim) = (http.ReadAsync($"/queues/big/tasks?limit={Tasks}"), http.ReadAsync("/tasks"), ClaimAsync(http));

        var statuses = await Task.WhenAll(bulks).WaitAsync(Deadline);
        // Their payloads alone would not fit.
        await Eventually.UntilAsync(async () => await WaitingAsync(http) == Puts, Deadline, "every caller of a put waits for its task");
        await Task.WhenAll(list, newest, claim).WaitAsync(Deadline);
        await over.CancelAsync();
        var (slowest, count, wrong) = await probing;
        await callers.CancelAsync();
        await Task.WhenAll(puts.Concat(uploads)).WaitAsync(Deadline);

        server.Output.ShouldNotContain("OutOfMemory");
        server.HasExited.ShouldBeFalse();
        wrong.ShouldBeEmpty();
        count.ShouldBeGreaterThan(10);
        slowest.ShouldBeLessThan(Patience, $"of {count} tasks of the second caller");
        Console.WriteLine($"{provider}: the slowest of {count} tasks of the second caller took {slowest.TotalSeconds:0.00} s");
        statuses.ShouldAllBe(s => s == 202 || s == 503);
        // A bulk that needs the whole pool may find no moment without other uploads; alone it is accepted.
        await Eventually.UntilAsync(async () => await PostAsync(http, "/tasks/bulk", Bulk(), CancellationToken.None) == 202, Deadline,
            "a bulk is accepted");
        Bounded(await list).GetProperty("next").ValueKind.ShouldBe(JsonValueKind.String);
        Bounded(await newest);
        Bounded(await claim);
        (await http.SubmitAsync(new { action = "a", queue = "after" })).ShouldNotBe(Guid.Empty);
    }

    /// <summary>A response of at least one task that ends at 16 MiB.</summary>
    private static JsonElement Bounded(Reply reply)
    {
        reply.Status.ShouldBe(200, reply.Text[..Math.Min(200, reply.Text.Length)]);
        reply.Text.Length.ShouldBeLessThan(18 * MiB);
        reply.Json.GetProperty("tasks").GetArrayLength().ShouldBeGreaterThan(0);
        return reply.Json;
    }

    private static async Task<Reply> ClaimAsync(HttpClient http)
    {
        while (true)
        {
            var reply = await http.PostAsync("/workers/claim", new { queues = Big, worker = "w", max = Tasks, lease_seconds = 600 });
            if (reply.Status != 503)
                return reply;
        }
    }

    private static async Task SeedAsync(HttpClient http)
    {
        var tasks = string.Join(',', Enumerable.Repeat(
            $$"""{"action":"a","queue":"big","data":"{{new string('x', TaskBytes - 200)}}"}""", 20));
        for (var i = 0; i < Tasks / 20; i++)
            (await http.PostAsync("/tasks/bulk", $$"""{"tasks":[{{tasks}}]}""")).Status.ShouldBe(202);
    }

    private static readonly byte[] BulkBody = Encoding.UTF8.GetBytes(
        """{"tasks":[""" + string.Join(',', Enumerable.Repeat(
            $$"""{"action":"a","queue":"bulk","data":"{{new string('y', (BulkBytes / 1000) - 60)}}"}""", 1000)) + "]}");

    private static readonly byte[] PutBody = Encoding.UTF8.GetBytes(
        """{"queue":"blocking","endpoint":"e","level":0,"response_mode":"blocking","timeout":600,"data":"""
        + $$$"""{"text":"{{{new string('z', TaskBytes)}}}"}}""");

    private static ByteArrayContent Bulk() => new ByteArrayContent(BulkBody);

    private static ByteArrayContent Put() => new ByteArrayContent(PutBody);

    /// <returns>The status; 0 if the caller disconnected.</returns>
    private static async Task<int> PostAsync(HttpClient http, string path, HttpContent body, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body };
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return (int)response.StatusCode;
        }
        catch (Exception fault) when (fault is OperationCanceledException or HttpRequestException)
        {
            return 0;
        }
    }

    /// <summary>Like a client: a refused request is sent again a little later.</summary>
    private static async Task<int> PutAsync(HttpClient http, CancellationToken cancellationToken)
    {
        while (true)
        {
            var status = await PostAsync(http, "/v1/queue/put", Put(), cancellationToken);
            if (cancellationToken.IsCancellationRequested || status is not (0 or 503))
                return status;
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>A large body of which a little arrives, repeatedly.</summary>
    private static async Task<int> TrickleAsync(int port, string path, CancellationToken cancellationToken)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port, cancellationToken);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes(
                $"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: "
                + $"{BulkBytes}\r\n\r\n"
                + (path == "/v1/files" ? "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
                    : "{\"tasks\":[{\"action\":\"")), cancellationToken);
            var part = Encoding.ASCII.GetBytes(new string('x', 2000));
            using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
            do
                await stream.WriteAsync(part, cancellationToken);
            while (await pace.WaitForNextTickAsync(cancellationToken));
            return 0;
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException or SocketException)
        {
            return 0;
        }
    }

    /// <summary>The second caller: a small task, repeatedly.</summary>
    private static async Task<(TimeSpan Slowest, int Count, List<string> Wrong)> ProbeAsync(int port, CancellationToken over)
    {
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        var (slowest, count, wrong) = (TimeSpan.Zero, 0, new List<string>());
        for (; !over.IsCancellationRequested; count++)
        {
            var begun = Stopwatch.GetTimestamp();
            var reply = await http.PostAsync("/tasks", new { action = "a", queue = "second" });
            var took = Stopwatch.GetElapsedTime(begun);
            slowest = took > slowest ? took : slowest;
            if (reply.Status != 202)
                wrong.Add($"{reply.Status}: {reply.Text}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return (slowest, count, wrong);
    }

    private static async Task<int> WaitingAsync(HttpClient http) =>
        (await http.ReadAsync("/v1/queue/blocking:0/stats")).Json.GetProperty("total_put_cnt").GetInt32();
}
