using System.Diagnostics;
using System.Text;
using System.Text.Json;
using RabbitMQ.Client;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Scenarios;

/// <summary>1,000 open streams with 20 events per second each, sent by workers over the bus; none may be lost or reordered.</summary>
internal static class StreamScenario
{
    private const int PerSecond = 20;
    private const double MemoryGoal = 500;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        var (streams, seconds) = (run.Sizes.Streams, (int)run.Sizes.Takes.TotalSeconds);
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        var client = new BellaClient(server, run.Stop);
        await client.RegisterAsync(["bella"]);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 2 * streams })
        {
            BaseAddress = server.Address, Timeout = TimeSpan.FromMinutes(10),
        };
        var reading = Enumerable.Range(0, streams).Select(_ => ReadAsync(http, run.Stop)).ToList();
        var tasks = await TakeAsync(client, streams, run.Stop);
        run.Say($"{streams} streams are open");

        var since = Stopwatch.GetTimestamp();
        await SendAsync(run, tasks, seconds);
        var sent = Stopwatch.GetElapsedTime(since);
        var events = await Task.WhenAll(reading);
        var done = Stopwatch.GetElapsedTime(since);
        if (events.Any(e => e != PerSecond * seconds))
            throw new BenchException($"a stream got {events.Min()} events of {PerSecond * seconds}");
        server.DemandNoTrouble();
        run.Say($"sent in {sent.TotalSeconds:0.0} s, read after {done.TotalSeconds:0.0} s");
        return
        [
            new($"events to {streams:#,0} open streams, none lost, in order",
                new Series([streams * PerSecond * seconds / done.TotalSeconds], Unit.EventsPerSecond),
                Goals: Goal.ValueAtLeast(streams * PerSecond)),
            new($"resident memory with {streams:#,0} open streams (VmHWM)", new Series([server.ReadMemory().Peak], Unit.Megabytes),
                Goals: Goal.ValueAtMost(MemoryGoal)),
        ];
    }

    /// <returns>Number of events of one stream, which must arrive in order.</returns>
    private static async Task<int> ReadAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post,
            "/v1/queue/put") { Content = Bodies.Json(BellaClient.Put("bella", "streaming")) };
        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellationToken));
        var events = 0;
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith("id:", StringComparison.Ordinal) && line[3..] != $"{events++}")
                throw new BenchException($"event {line} came as number {events}");
        }

        return events;
    }

    private static async Task<List<(string Id, string Instance)>> TakeAsync(BellaClient client, int count,
        CancellationToken cancellationToken)
    {
        var tasks = new List<(string, string)>();
        while (tasks.Count < count)
        {
            using var document = JsonDocument.Parse(await client.PostAsync("/v1/queue/take", """{"queues":["bella:0"],"size":10}"""));
            tasks.AddRange(document.RootElement.EnumerateObject().SelectMany(q => q.Value.EnumerateArray())
                .Select(t => (t.GetProperty("task_id").GetString()!, t.GetProperty("instance_id").GetString()!)));
            await Task.Delay(10, cancellationToken);
        }

        return tasks;
    }

    /// <summary>Sends one event to each stream per tick of 50 ms.</summary>
    private static async Task SendAsync(BenchRun run, List<(string Id, string Instance)> tasks, int seconds)
    {
        await using var connection = await run.Broker.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        using var ticks = new PeriodicTimer(TimeSpan.FromSeconds(1d / PerSecond));
        for (var n = 0; n < PerSecond * seconds; n++)
        {
            await ticks.WaitForNextTickAsync(run.Stop);
            foreach (var (id, instance) in tasks)
                await PublishAsync(channel, instance, "task-progress-event",
                    $$$"""{"taskId":"{{{id}}}","eventId":"{{{n}}}","eventName":"message","eventData":{"n":{{{n}}}}}""");
        }

        foreach (var (id, instance) in tasks)
            await PublishAsync(channel, instance, "task-completion-event", $$$"""{"taskId":"{{{id}}}","result":{}}""");
    }

    private static ValueTask PublishAsync(IChannel channel, string instance, string name, string payload) => channel.BasicPublishAsync(
        "", "taskqueue.events:" + instance,
        Encoding.UTF8.GetBytes($$"""{"name":"{{name}}","from":"","payload":{{payload}},"context":"","timestamp":"0"}"""));
}
