using System.Diagnostics;
using System.Text.Json;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>A client and worker of the bella API.</summary>
internal sealed class BellaClient(ServerProcess server, CancellationToken cancellationToken)
{
    public async Task RegisterAsync(IEnumerable<string> queues)
    {
        foreach (var queue in queues)
            await PostAsync("/v1/queue/register", $$"""{"queue":"{{queue}}","endpoint":"/v1/chat/completions"}""");
    }

    /// <summary>Body of a put.</summary>
    public static string Put(string queue, string mode, int tier = 0) =>
        $$$"""{"queue":"{{{queue}}}","endpoint":"/v1/chat/completions","level":{{{tier}}}"""
        + $$$""","response_mode":"{{{mode}}}","data":{"model":"m","text":"hello worldhello worldhello world"}}""";

    /// <summary>Sends takes at a fixed rate, independent of their duration (open loop): a slow take does not delay later ones.</summary>
    /// <returns>Latency from the scheduled time to the response, and number of tasks taken.</returns>
    public async Task<(Latency Latency, int Tasks)> TakeAtRateAsync(string body, int perSecond, TimeSpan duration,
        Func<IReadOnlyList<string>, Task>? taken)
    {
        var count = (int)(perSecond * duration.TotalSeconds);
        var (times, tasks, since) = (new TimeSpan[count], 0, Stopwatch.GetTimestamp());
        await Task.WhenAll(Enumerable.Range(0, 64).Select(loop => Task.Run(async () =>
        {
            for (var n = loop; n < count; n += 64)
            {
                var due = TimeSpan.FromSeconds((double)n / perSecond);
                if (due - Stopwatch.GetElapsedTime(since) is var wait && wait > TimeSpan.Zero)
                    await Task.Delay(wait, cancellationToken);
                // Timers are up to a millisecond late: within that tolerance the latency counts from the send.
                var sent = Stopwatch.GetElapsedTime(since);
                var ids = Ids(await PostAsync("/v1/queue/take", body));
                times[n] = Stopwatch.GetElapsedTime(since) - (sent - due < TimeSpan.FromMilliseconds(2) ? sent : due);
                Interlocked.Add(ref tasks, ids.Count);
                if (taken is not null)
                    await taken(ids);
            }
        }, cancellationToken)));
        return (Latency.Of(times), tasks);
    }

    public Task<byte[]> CompleteAsync(string id) => PostAsync($"/v1/queue/{id}/complete", """{"status_code":200,"body":{"ok":true}}""");

    public async Task<byte[]> PostAsync(string path, string body)
    {
        using var content = Bodies.Json(body);
        using var answer = await server.Http.PostAsync(path, content, cancellationToken);
        var bytes = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        return answer.IsSuccessStatusCode ? bytes
            : throw new BenchException($"{path}: {(int)answer.StatusCode} {System.Text.Encoding.UTF8.GetString(bytes)}");
    }

    private static List<string> Ids(byte[] answer)
    {
        using var document = JsonDocument.Parse(answer);
        return [.. document.RootElement.EnumerateObject().SelectMany(q => q.Value.EnumerateArray())
            .Select(t => t.GetProperty("task_id").GetString()!)];
    }
}
