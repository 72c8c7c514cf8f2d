using System.Diagnostics;

namespace TaskQueue.Tests.Servers;

/// <summary>The only place where a test waits: for a condition, and never longer than a deadline.</summary>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Waits until <paramref name="condition"/> holds; fails with <paramref name="what"/> after the deadline.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan deadline, string what)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            await PauseAsync(start, deadline, what);
        }
    }

    /// <summary>Waits until <paramref name="find"/> finds something, and returns it.</summary>
    public static async Task<T> UntilAsync<T>(Func<Task<T?>> find, TimeSpan deadline, string what)
        where T : class
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            if (await find() is { } found)
            {
                return found;
            }

            await PauseAsync(start, deadline, what);
        }
    }

    private static async Task PauseAsync(long start, TimeSpan deadline, string what)
    {
        if (Stopwatch.GetElapsedTime(start) >= deadline)
        {
            throw new TimeoutException($"Not within {deadline.TotalSeconds:0.###} s: {what}");
        }

        await Task.Delay(Interval);
    }
}
