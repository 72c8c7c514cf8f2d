using System.Diagnostics;

namespace TaskQueue.Bench.Load;

/// <summary>Loops side by side that do the same over and over.</summary>
internal static class Loops
{
    /// <summary>Runs them for a while.</summary>
    /// <returns>How often a second.</returns>
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
