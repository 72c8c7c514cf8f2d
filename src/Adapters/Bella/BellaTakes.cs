using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Adapters.Bella;

/// <summary>Maps bella's takes to the engine's claims (bella.md 4.4, 5, 6).</summary>
internal static class BellaTakes
{
    /// <summary>Maximum number of tasks of a fifo take.</summary>
    private const int FifoMax = 10;

    private const int MaxTasks = 1000, MaxQueues = 1000, MaxAgeSeconds = 1_000_000;

    /// <summary>Maps a take; its queues may still be unknown.</summary>
    /// <exception cref="TaskQueue.Http.Errors.ApiException">400.</exception>
    public static ClaimRequest ToClaim(BellaTakeBody take, BellaOptions options)
    {
        var order = OrderOf(take.Strategy);
        if (take.Queues is not { Count: >= 1 and <= MaxQueues })
            throw BellaMapping.Wrong($"queues must be a list of 1 to {MaxQueues} queues");
        var targets = take.Queues.Select(q => QueueNames.Parse(q, tierRequired: true)
            ?? throw BellaMapping.Wrong($"queues: '{q}' is not of the form name:level")).Distinct().ToList();
        if (take.MinAgeSeconds is > MaxAgeSeconds)
            throw BellaMapping.Wrong($"min_age_seconds must be at most {MaxAgeSeconds}");
        if (take.ProcessMaxRetries is < -1)
            throw BellaMapping.Wrong("process_max_retries must be -1 (always), 0 or more");
        var tracked = take.ProcessTimeout > 0;
        return new ClaimRequest(targets, SizeOf(take, order, targets.Count), "bella",
            tracked ? LeaseMs(take.ProcessTimeout!.Value) : ClaimRequest.UntilExpiry, order)
        {
            MinAgeMs = Math.Max(0, take.MinAgeSeconds ?? 0) * 1000,
            MaxRetries = tracked ? take.ProcessMaxRetries ?? 0 : 0,
            LockMs = options.SequentialLockSeconds * 1000,
        };
    }

    private static ClaimOrder OrderOf(string? strategy) =>
        strategy switch
        {
            null or "fifo" => ClaimOrder.Oldest,
            "round_robin" => ClaimOrder.RoundRobin,
            "active_passive" => ClaimOrder.ActivePassive,
            "sequential" => ClaimOrder.Sequential,
            _ => throw BellaMapping.Wrong("strategy must be fifo, round_robin, active_passive or sequential"),
        };

    private static int SizeOf(BellaTakeBody take, ClaimOrder order, int targets)
    {
        var size = take.Size ?? throw BellaMapping.Wrong("size must be a number of tasks");
        return order switch
        {
            ClaimOrder.Sequential => targets, // one per queue, regardless of size
            ClaimOrder.Oldest => Math.Clamp(size, 0, FifoMax),
            _ when size < 0 => throw BellaMapping.Wrong("size must not be negative"),
            _ => Math.Min(size, MaxTasks),
        };
    }

    private static int LeaseMs(int processTimeout) =>
        processTimeout <= LeaseLimits.MaxMs / 1000
            ? processTimeout * 1000
            : throw BellaMapping.Wrong($"process_timeout must be at most {LeaseLimits.MaxMs / 1000} seconds");
}
