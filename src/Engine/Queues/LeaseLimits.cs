namespace TaskQueue.Engine.Queues;

/// <summary>Bounds of the lease duration in milliseconds.</summary>
public static class LeaseLimits
{
    /// <summary>One second.</summary>
    public const int MinMs = 1_000;

    /// <summary>One day.</summary>
    public const int MaxMs = 24 * 3600 * 1000;
}
