using System.Collections.Concurrent;
using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Soak;

/// <summary>
/// Submits tasks at a fixed rate, whether or not the server keeps up (open loop), and runs pull workers that claim and report them.
/// </summary>
internal sealed class SoakLoad(HttpClient http, SoakPlan plan)
{
    private const int PerRequest = 20;
    private const int Senders = 16;
    private const int Workers = 4;
    private const int PerClaim = 50;

    /// <summary>Pause of a worker whose claim was less than half full.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(20);

    private readonly string _body = Bodies.Many(Bodies.PullQueue, PerRequest);
    private readonly Lock _lock = new();
    private ConcurrentBag<TimeSpan> _claims = [];
    private TimeSpan _late;
    private long _accepted;
    private long _completed;
    private long _requests;

    public long Accepted => Volatile.Read(ref _accepted);

    public long Completed => Volatile.Read(ref _completed);

    /// <summary>Measurements since the last call: claim latency, and the maximum delay of a request.</summary>
    public (Latency Claim, double LateMs) Take()
    {
        var claims = Interlocked.Exchange(ref _claims, []);
        lock (_lock)
        {
            var late = _late.TotalMilliseconds;
            _late = TimeSpan.Zero;
            return (claims.IsEmpty ? new Latency(0, 0) : Latency.Of(claims), late);
        }
    }

    /// <summary>Submits tasks for the planned time, then waits until the workers have finished them.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var since = Stopwatch.GetTimestamp();
        var workers = Enumerable.Range(0, Workers).Select(_ => Task.Run(() => WorkAsync(ended.Token), cancellationToken)).ToList();
        var senders = Enumerable.Range(0, Senders).Select(_ => Task.Run(() => SendAsync(since, ended.Token), cancellationToken)).ToList();
        try
        {
            await await Task.WhenAny([Task.WhenAll(senders), .. workers]);
            await Task.WhenAll(workers);
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAll([.. senders, .. workers]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private long Offered => (long)plan.Rate * plan.Seconds / PerRequest * PerRequest;

    /// <summary>Sends requests on schedule; a late one does not delay the next ones.</summary>
    private async Task SendAsync(long since, CancellationToken cancellationToken)
    {
        while (Interlocked.Increment(ref _requests) - 1 is var number && number * PerRequest < Offered)
        {
            var due = TimeSpan.FromSeconds((double)number * PerRequest / plan.Rate);
            var wait = due - Stopwatch.GetElapsedTime(since);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, cancellationToken);
            Note(Stopwatch.GetElapsedTime(since) - due);
            using var content = Bodies.Json(_body);
            using var answer = await http.PostAsync("/tasks/bulk", content, cancellationToken);
            if (!answer.IsSuccessStatusCode)
                throw new BenchException($"POST /tasks/bulk: {(int)answer.StatusCode} "
                    + $"{await answer.Content.ReadAsStringAsync(cancellationToken)}");
            Interlocked.Add(ref _accepted, PerRequest);
        }
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        var worker = new PullWorker(http, PerClaim);
        while (Completed < Offered)
        {
            var since = Stopwatch.GetTimestamp();
            var claimed = await worker.ClaimAsync(cancellationToken);
            _claims.Add(Stopwatch.GetElapsedTime(since));
            if (claimed > 0)
                await worker.ReportAsync(claimed, cancellationToken);
            Interlocked.Add(ref _completed, claimed);
            if (claimed < PerClaim / 2)
                await Task.Delay(Breath, cancellationToken);
        }
    }

    private void Note(TimeSpan late)
    {
        lock (_lock)
        {
            if (late > _late)
                _late = late;
        }
    }
}
