using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>Runs wrk, which repeatedly POSTs one body on many connections, and counts accepted tasks.</summary>
internal sealed class Wrk(BenchRun run, ServerProcess server, string path, string body, int connections, int tasksPerRequest = 1,
    string? token = null)
{
    private long _accepted;
    private long _unanswered; // upper bound of requests in flight when a load ended

    /// <summary>Runs a load for a given time.</summary>
    /// <returns>Tasks per second.</returns>
    /// <exception cref="BenchException">A request failed, or its status was not 2xx.</exception>
    public async Task<double> RunAsync(TimeSpan duration)
    {
        var file = Path.Combine(run.Options.Scratch, "body.json");
        await File.WriteAllTextAsync(file, body, run.Stop);
        var script = Path.Combine(AppContext.BaseDirectory, "post.lua");
        var lines = await ChildProcess.RunAsync(
            "wrk",
            [
                "-t", "2", "-c", $"{connections}", "-d", $"{duration.TotalSeconds:0}s", "--timeout", "30s", "-s", script,
                .. token is null ? Array.Empty<string>()
                    : ["-H", $"Authorization: Bearer {token}"], $"{new Uri(server.Address, path)}", "--", file,
            ],
            environment: null, run.Stop);
        // requests, duration in µs, then errors by kind
        var result = lines.SingleOrDefault(l => l.StartsWith("result ", StringComparison.Ordinal))?.Split(' ').Skip(1).Select(long.Parse)
            .ToArray()
            ?? throw new BenchException($"wrk gave no result:\n{string.Join('\n', lines)}");
        if (result[0] == 0 || result[2..].Any(errors => errors > 0))
            throw new BenchException($"requests to {path} failed:\n{string.Join('\n', [.. lines, .. server.Trouble.Take(10)])}");
        _accepted += result[0] * tasksPerRequest;
        _unanswered += (long)connections * tasksPerRequest;
        return result[0] * tasksPerRequest / (result[1] / 1e6);
    }

    /// <summary>
    /// Checks the number of rows against the accepted tasks; a request that wrk did not wait for may or may not have a row.
    /// </summary>
    public void DemandRows(long rows)
    {
        if (rows < _accepted || rows > _accepted + _unanswered)
            throw new BenchException($"{_accepted} tasks were accepted, but there are {rows} rows");
    }
}
