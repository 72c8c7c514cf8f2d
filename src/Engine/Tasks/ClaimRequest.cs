using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Engine.Tasks;

/// <summary>A claim of a worker.</summary>
/// <param name="Targets">Queues and tiers to claim from, in order of preference.</param>
/// <param name="Max">Maximum number of tasks; a sequential claim takes one of each target instead.</param>
/// <param name="Worker">The claiming worker.</param>
/// <param name="LeaseMs">Lease in milliseconds, extended by heartbeats; null is each task's own, <see cref="UntilExpiry"/> lasts until the
/// task expires.</param>
/// <param name="Order">Order of the claim.</param>
public sealed record ClaimRequest(IReadOnlyList<QueueTier> Targets, int Max, string Worker, int? LeaseMs,
    ClaimOrder Order = ClaimOrder.FirstTarget)
{
    /// <summary>A lease that lasts until the task expires.</summary>
    public const int UntilExpiry = 0;

    /// <summary>Maximum bytes of payloads and headers; one task is always returned.</summary>
    public long MaxBytes { get; init; } = int.MaxValue;

    /// <summary>Only tasks that have been due for this many milliseconds.</summary>
    public int MinAgeMs { get; init; }

    /// <summary>
    /// Maximum retries of each task over all its attempts; -1 is unlimited. A task of tier 0 is never retried (bella.md 6). Null is each
    /// task's own limit.
    /// </summary>
    public int? MaxRetries { get; init; }

    /// <summary>The claiming credential; only the same one may report on the attempts. Null without authentication.</summary>
    public string? Credential { get; init; }

    /// <summary>What the worker tells about itself; null leaves it out of the list of workers.</summary>
    public WorkerContact? Contact { get; init; }

    /// <summary>The worker, if the caller has registered the claim; otherwise the claim itself does.</summary>
    public WorkerEntry? Registered { get; init; }

    /// <summary>The claiming worker.</summary>
    public WorkerKey WorkerKey => new(Contact?.Owner, Credential, Worker);

    /// <summary>Minimum milliseconds that a sequential claim locks a target while its task runs.</summary>
    public int LockMs { get; init; } = 600_000;

    /// <summary>
    /// Whether claims that share a target are serialized over all processes. Otherwise a claim skips tasks locked by another, even if that
    /// one does not take them.
    /// </summary>
    internal bool IsStrict => Order != ClaimOrder.FirstTarget;
}

/// <summary>
/// Order in which a claim takes tasks. Within a target: by priority, due time, time of acceptance and id; for the oldest, by the same
/// without the priority.
/// </summary>
public enum ClaimOrder
{
    /// <summary>Prefers the first target; order within a target is best effort under concurrent claims.</summary>
    FirstTarget,

    /// <summary>The oldest of all targets.</summary>
    Oldest,

    /// <summary>One of each target in turn.</summary>
    RoundRobin,

    /// <summary>All tasks of the first target, then of the second, in strict order.</summary>
    ActivePassive,

    /// <summary>The first task of each unlocked target; it locks its target while it runs.</summary>
    Sequential,
}
