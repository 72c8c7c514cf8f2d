using System.Diagnostics;

namespace TaskQueue.Bench.Servers;

internal static class Wait
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Waits until a condition holds.</summary>
    /// <exception cref="BenchException">The condition did not hold in time.</exception>
    public static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan deadline, string what, CancellationToken cancellationToken)
    {
        var since = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(since) > deadline)
                throw new BenchException($"waited {deadline.TotalSeconds:0} s until {what}");
            await Task.Delay(Interval, cancellationToken);
        }
    }
}
