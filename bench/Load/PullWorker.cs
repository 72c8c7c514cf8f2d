using System.Buffers;
using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace TaskQueue.Bench.Load;

/// <summary>A no-op worker that claims over HTTP and reports completion, with a result if one is given as JSON.</summary>
internal sealed class PullWorker(HttpClient http, int max, double leaseSeconds = 15, int waitSeconds = 0,
    IReadOnlyList<string>? queues = null, string? result = null)
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly byte[] _claim = JsonSerializer.SerializeToUtf8Bytes(
        new { queues = queues ?? [Bodies.PullQueue], worker = "bench", max, lease_seconds = leaseSeconds, wait_seconds = waitSeconds });

    private readonly byte[] _end = Encoding.UTF8.GetBytes(result is null ? "}" : $",\"result\":{result}}}");

    private readonly ArrayBufferWriter<byte> _report = new();

    /// <summary>Maximum number of tasks per claim.</summary>
    public int Max => max;

    /// <summary>Claims tasks and prepares their report.</summary>
    /// <returns>Number of claimed tasks.</returns>
    public async Task<int> ClaimAsync(CancellationToken cancellationToken) =>
        Prepare(await PostAsync("/workers/claim", _claim, cancellationToken));

    /// <summary>Reports the last claim.</summary>
    public async Task ReportAsync(int claimed, CancellationToken cancellationToken)
    {
        var answer = await PostAsync("/workers/report", _report.WrittenMemory, cancellationToken);
        if (CountOk(answer) is var ok && ok != claimed)
            throw new BenchException($"of {claimed} reported tasks {ok} were accepted");
    }

    /// <summary>Runs concurrent workers until they have claimed and reported the given number of tasks.</summary>
    /// <returns>Tasks per second.</returns>
    public static async Task<double> RunAsync(HttpClient http, int workers, int max, int total, CancellationToken cancellationToken,
        string queue = Bodies.PullQueue, string? result = null)
    {
        var left = total;
        var since = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(async () =>
        {
            var worker = new PullWorker(http, max, queues: [queue], result: result);
            while (Interlocked.Add(ref left, -max) >= 0)
            {
                var claimed = await worker.ClaimAsync(cancellationToken);
                if (claimed != max)
                    throw new BenchException($"a claim of {max} tasks got {claimed}, although more are waiting");
                await worker.ReportAsync(claimed, cancellationToken);
            }
        }, cancellationToken)));
        return total / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }

    private async Task<byte[]> PostAsync(string path, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        using var content = new ReadOnlyMemoryContent(body) { Headers = { ContentType = Json } };
        using var answer = await http.PostAsync(path, content, cancellationToken);
        var bytes = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        return answer.IsSuccessStatusCode ? bytes
            : throw new BenchException($"{path}: {(int)answer.StatusCode} {Encoding.UTF8.GetString(bytes)}");
    }

    /// <summary>Writes the report for a claim's response, copying ids and attempts.</summary>
    private int Prepare(ReadOnlySpan<byte> answer)
    {
        var tasks = 0;
        _report.ResetWrittenCount();
        _report.Write("{\"tasks\":["u8);
        var reader = new Utf8JsonReader(answer);
        while (reader.Read())
        {
            // {"tasks":[{"id":…: payloads are deeper
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 3)
                continue;
            if (reader.ValueTextEquals("id"u8))
            {
                reader.Read();
                _report.Write(tasks++ == 0 ? "{\"outcome\":\"completed\",\"id\":\""u8 : ",{\"outcome\":\"completed\",\"id\":\""u8);
                _report.Write(reader.ValueSpan);
            }
            else if (reader.ValueTextEquals("attempt"u8))
            {
                reader.Read();
                _report.Write("\",\"attempt\":"u8);
                _report.Write(reader.ValueSpan);
                _report.Write(_end);
            }
        }

        _report.Write("]}"u8);
        return tasks;
    }

    private static int CountOk(ReadOnlySpan<byte> answer)
    {
        var ok = 0;
        var reader = new Utf8JsonReader(answer);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("code"u8) && reader.Read()
                && reader.ValueTextEquals("ok"u8))
                ok++;
        }

        return ok;
    }
}
