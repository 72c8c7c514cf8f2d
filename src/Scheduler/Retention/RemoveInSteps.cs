namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes rows in small steps with pauses as long as they took, so that claims find the database free half of the time.</summary>
internal static class RemoveInSteps
{
    /// <summary>Rows of one step, at most.</summary>
    public const int Max = 500;

    /// <summary>Goes on until a step finds less than it may remove.</summary>
    /// <param name="remove">One step.</param>
    /// <param name="progress">Called after each.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
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
