namespace TaskQueue.Engine.Queues;

/// <summary>How many queues an API may make.</summary>
/// <param name="Max">At most so many.</param>
/// <param name="Counts">Which queues count.</param>
public sealed record QueueQuota(int Max, Func<QueueRecord, bool> Counts);

/// <summary>There are as many as may be; nothing was made.</summary>
/// <param name="max">How many that is.</param>
public sealed class QuotaException(int max) : Exception($"there are {max} already")
{
    /// <summary>How many there may be.</summary>
    public int Max { get; } = max;
}
