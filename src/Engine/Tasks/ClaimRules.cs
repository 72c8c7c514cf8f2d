using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>Queue settings that apply to a claim.</summary>
/// <param name="Limits">Limits of the queues that have any.</param>
/// <param name="Silent">Queues whose start events are not written to the timeline.</param>
public sealed record ClaimRules(IReadOnlyList<QueueLimit> Limits, IReadOnlyList<string> Silent)
{
    /// <summary>No settings.</summary>
    public static readonly ClaimRules None = new([], []);
}

/// <summary>The limits of a queue.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="MaxRunning">Concurrency limit; 0 is unlimited.</param>
/// <param name="Rate">Rate limit; null is unlimited.</param>
public sealed record QueueLimit(string Queue, int MaxRunning, RateLimit? Rate);
