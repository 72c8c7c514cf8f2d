using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>What a worker asks for.</summary>
/// <param name="Targets">Where from, most wanted first.</param>
/// <param name="Max">At most so many tasks; a sequential claim takes one of each target instead.</param>
/// <param name="Worker">Who asks.</param>
/// <param name="LeaseMs">How long each may go without a heartbeat; null is as each task says, <see cref="UntilExpiry"/> as long as it
/// lives.</param>
/// <param name="Order">Which first.</param>
public sealed record ClaimRequest(IReadOnlyList<QueueTier> Targets, int Max, string Worker, int? LeaseMs,
    ClaimOrder Order = ClaimOrder.FirstTarget)
{
    /// <summary>A lease that lasts until the task expires.</summary>
    public const int UntilExpiry = 0;

    /// <summary>At most so many bytes of payloads and headers, but always one task.</summary>
    public long MaxBytes { get; init; } = int.MaxValue;

    /// <summary>Only tasks that have been due for so long.</summary>
    public int MinAgeMs { get; init; }

    /// <summary>
    /// How often each may be run again, of all its attempts; -1 is always. A task of tier 0 never is (bella.md 6). Null is as
    /// each task says.
    /// </summary>
    public int? MaxRetries { get; init; }

    /// <summary>The credential that claims, which alone may report on the attempts; null where nobody had to authenticate.</summary>
    public string? Credential { get; init; }

    /// <summary>How long a sequential claim locks a target at least, while its task runs.</summary>
    public int LockMs { get; init; } = 600_000;

    /// <summary>
    /// Whether claims that share a target go one after the other, over all processes. Else a claim skips tasks that another one
    /// looks at, though that one may leave them.
    /// </summary>
    internal bool IsStrict => Order != ClaimOrder.FirstTarget;
}

/// <summary>
/// Which tasks a claim takes first. Within a target: by priority, due time and id; of the oldest, by due time and id alone.
/// </summary>
public enum ClaimOrder
{
    /// <summary>Those of the first target; the order is kept within a target as far as claims at the same time let it.</summary>
    FirstTarget,

    /// <summary>The oldest of all targets.</summary>
    Oldest,

    /// <summary>One of each target in turn.</summary>
    RoundRobin,

    /// <summary>Those of the first target, then of the second, exactly.</summary>
    ActivePassive,

    /// <summary>The first of each target that is not locked; it locks its target while it runs.</summary>
    Sequential,
}
