namespace TaskQueue.Engine.Queues;

/// <summary>Limit on the queues that an API may create.</summary>
/// <param name="Max">Maximum number of queues.</param>
/// <param name="Counts">Selects the queues that count.</param>
public sealed record QueueQuota(int Max, Func<QueueRecord, bool> Counts);

/// <summary>The limit on queues is reached; nothing was created.</summary>
/// <param name="max">The limit.</param>
public sealed class QuotaException(int max) : Exception($"the limit of {max} queues is reached")
{
    /// <summary>The limit.</summary>
    public int Max { get; } = max;
}
