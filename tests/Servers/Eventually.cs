using System.Diagnostics;

namespace TaskQueue.Tests.Servers;

/// <summary>
/// The only place where a test waits: for a condition, and never longer than a deadline. A check that starts before the
/// deadline counts, and so does one more after it, for a machine that was stalled meanwhile.
/// </summary>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Waits until <paramref name="condition"/> holds; fails with <paramref name="what"/> after the deadline.</summary>
    public static Task UntilAsync(Func<Task<bool>> condition, TimeSpan deadline, string what) =>
        UntilAsync(condition, deadline, () => what);

    /// <summary>Waits until <paramref name="condition"/> holds; fails with what <paramref name="what"/> says after the deadline.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan deadline, Func<string> what)
    {
        var start = Stopwatch.GetTimestamp();
        var late = false;
        while (!await condition())
        {
            late = await PauseAsync(start, deadline, late, what);
        }
    }

    /// <summary>Waits until <paramref name="find"/> finds something, and returns it.</summary>
    public static async Task<T> UntilAsync<T>(Func<Task<T?>> find, TimeSpan deadline, string what)
        where T : class
    {
        var start = Stopwatch.GetTimestamp();
        var late = false;
        while (true)
        {
            if (await find() is { } found)
            {
                return found;
            }

            late = await PauseAsync(start, deadline, late, () => what);
        }
    }

    /// <returns>Whether the next check is the last.</returns>
    private static async Task<bool> PauseAsync(long start, TimeSpan deadline, bool late, Func<string> what)
    {
        if (late)
        {
            throw new TimeoutException($"Not within {deadline.TotalSeconds:0.###} s: {what()}");
        }

        await Task.Delay(Interval);
        return Stopwatch.GetElapsedTime(start) >= deadline;
    }
}
