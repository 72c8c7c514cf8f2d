using System.Collections.Concurrent;
using System.Diagnostics;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>Concurrent pull workers that claim and report, distributed over servers; times each claim.</summary>
/// <param name="servers">The servers; workers are assigned round robin.</param>
/// <param name="targets">Queues named by a claim; each claim, of any worker, uses the next entry.</param>
internal sealed class PullLoad(IReadOnlyList<ServerProcess> servers, IReadOnlyList<IReadOnlyList<string>> targets)
{
    public const int Workers = 8;
    public const int Batch = 100;

    /// <summary>Claims and reports the given number of tasks.</summary>
    public async Task<LoadSample> TakeAsync(int total, CancellationToken cancellationToken)
    {
        var times = new ConcurrentBag<TimeSpan>();
        var (left, claims) = (total, -1);
        var since = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(i => Task.Run(async () =>
        {
            var workers = targets.Select(queues => new PullWorker(servers[i % servers.Count].Http, Batch, queues: queues)).ToList();
            while (Interlocked.Add(ref left, -Batch) >= 0)
                times.Add(await TakeBatchAsync(workers[Interlocked.Increment(ref claims) % workers.Count], cancellationToken));
        }, cancellationToken)));
        return new LoadSample(total / Stopwatch.GetElapsedTime(since).TotalSeconds, Latency.Of(times));
    }

    /// <returns>Duration of the claim.</returns>
    private static async Task<TimeSpan> TakeBatchAsync(PullWorker worker, CancellationToken cancellationToken)
    {
        var since = Stopwatch.GetTimestamp();
        var claimed = await worker.ClaimAsync(cancellationToken);
        var time = Stopwatch.GetElapsedTime(since);
        if (claimed != worker.Max)
            throw new BenchException($"a claim of {worker.Max} tasks got {claimed}, although more are waiting");
        await worker.ReportAsync(claimed, cancellationToken);
        return time;
    }
}
