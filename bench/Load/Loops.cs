using System.Diagnostics;

namespace TaskQueue.Bench.Load;

/// <summary>Runs the same work in concurrent loops.</summary>
internal static class Loops
{
    /// <summary>Runs the loops for a given time.</summary>
    /// <returns>Iterations per second.</returns>
    public static async Task<double> RunAsync(int loops, TimeSpan duration, Func<Task> work)
    {
        long done = 0;
        var since = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, loops).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(since) < duration)
            {
                await work();
                Interlocked.Increment(ref done);
            }
        })));
        return done / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }
}
