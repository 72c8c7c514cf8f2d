namespace TaskQueue.Engine.Tasks;

/// <summary>How long a failed attempt waits before the next one.</summary>
public static class RetryBackoff
{
    private static readonly TimeSpan Cap = TimeSpan.FromHours(1);

    /// <summary>2, 4, 8 … seconds after the first, second, third failure of a run, at most an hour.</summary>
    public static TimeSpan After(int attemptsDone) =>
        attemptsDone >= 12 ? Cap : TimeSpan.FromSeconds(Math.Pow(2, attemptsDone));
}
