using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>What the settings of its queues mean for a claim.</summary>
/// <param name="Limits">The limits of those that have any.</param>
/// <param name="Silent">Queues whose starts are not written to the timeline.</param>
public sealed record ClaimRules(IReadOnlyList<QueueLimit> Limits, IReadOnlyList<string> Silent)
{
    /// <summary>No settings.</summary>
    public static readonly ClaimRules None = new([], []);
}

/// <summary>The limits of a queue.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="MaxRunning">At most so many run; 0 is unlimited.</param>
/// <param name="Rate">Token bucket; null is unlimited.</param>
public sealed record QueueLimit(string Queue, int MaxRunning, RateLimit? Rate);
