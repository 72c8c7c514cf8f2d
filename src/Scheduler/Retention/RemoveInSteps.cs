namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes rows in small steps and pauses after each for as long as it took, leaving half of the time to claims.</summary>
internal static class RemoveInSteps
{
    /// <summary>Maximum rows per step.</summary>
    public const int Max = 500;

    /// <summary>Repeats the step until it removes fewer than the maximum.</summary>
    /// <param name="remove">Runs one step.</param>
    /// <param name="progress">Called after each step.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Stops between two steps.</param>
    /// <returns>Number of rows removed.</returns>
    public static async Task<long> RunAsync(Func<Task<int>> remove, Action progress, TimeProvider time, CancellationToken cancellationToken)
    {
        for (long total = 0; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var start = time.GetTimestamp();
            var removed = await remove();
            total += removed;
            progress();
            if (removed < Max)
                return total;
            await Task.Delay(time.GetElapsedTime(start), time, cancellationToken);
        }
    }
}
