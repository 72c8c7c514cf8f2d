namespace TaskQueue.Engine.Queues;

/// <summary>How long a lease may be, in milliseconds.</summary>
public static class LeaseLimits
{
    /// <summary>A second.</summary>
    public const int MinMs = 1_000;

    /// <summary>A day.</summary>
    public const int MaxMs = 24 * 3600 * 1000;
}
