using System.Collections.Concurrent;
using System.Diagnostics;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>Pull workers that claim and report side by side, spread over servers; each claim is timed.</summary>
/// <param name="servers">Where to; the workers are dealt out in turn.</param>
/// <param name="targets">The queues that a claim names; the next claim, of whichever worker, names those of the next entry.</param>
internal sealed class PullLoad(IReadOnlyList<ServerProcess> servers, IReadOnlyList<IReadOnlyList<string>> targets)
{
    public const int Workers = 8;
    public const int Batch = 100;

    /// <summary>Claims and reports so many tasks.</summary>
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

    /// <returns>How long the claim took.</returns>
    private static async Task<TimeSpan> TakeBatchAsync(PullWorker worker, CancellationToken cancellationToken)
    {
        var since = Stopwatch.GetTimestamp();
        var claimed = await worker.ClaimAsync(cancellationToken);
        var time = Stopwatch.GetElapsedTime(since);
        if (claimed != worker.Max)
            throw new BenchException($"a claim of {worker.Max} tasks got {claimed}, though more wait");
        await worker.ReportAsync(claimed, cancellationToken);
        return time;
    }
}
