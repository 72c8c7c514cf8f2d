namespace TaskQueue.Engine.Auth;

/// <summary>
/// What a caller may see and change, for the scope that its request needs: the one rule of every API, every command and every
/// bus message. What is out of sight does not exist for the caller.
/// </summary>
public sealed record Access
{
    /// <summary>Everything: the engine itself, and a server without authentication.</summary>
    public static readonly Access All = new() { Others = QueuePatterns.All };

    /// <summary>What a tenant owns, in all queues or in some.</summary>
    public static Access Of(string tenant, params IReadOnlyList<string> queues) =>
        new() { Tenant = tenant, Own = QueuePatterns.Of(queues.Count == 0 ? null : queues) };

    /// <summary>Owner of what the caller makes; null is nobody.</summary>
    public string? Tenant { get; init; }

    /// <summary>Queues in which the caller sees what its tenant owns.</summary>
    public QueuePatterns Own { get; init; } = QueuePatterns.None;

    /// <summary>Queues in which the caller sees what any tenant owns: those of a worker, and of an administrator.</summary>
    public QueuePatterns Others { get; init; } = QueuePatterns.None;

    /// <summary>The credential that holds the leases of its claims; only it may report on them. Null is not checked.</summary>
    public string? Credential { get; init; }

    /// <summary>
    /// Whether what belongs to no queue, such as files, is out of sight though its owner is the tenant: for tokens that are lent for one
    /// queue.
    /// </summary>
    public bool InQueuesOnly { get; init; }

    /// <summary>Whether what belongs to no queue, such as files and keys, is seen whoever owns it.</summary>
    public bool SeesAllTenants => Others.IsAll;

    /// <summary>Whether a queue may be used: submitted to, claimed from, listed.</summary>
    public bool Allows(string queue) => Own.Match(queue) || Others.Match(queue);

    /// <summary>Whether a task, batch or schedule exists for the caller.</summary>
    public bool CanRead(string? owner, string queue) => Others.Match(queue) || (owner is not null && owner == Tenant && Own.Match(queue));

    /// <summary>Whether something that belongs to no queue, such as a file, exists for the caller.</summary>
    public bool CanRead(string? owner) => SeesAllTenants || (owner is not null && owner == Tenant && !InQueuesOnly);

    /// <summary>Whether a queue is listed, and may be changed by an administrator: it is shared, or the tenant's own.</summary>
    public bool CanSeeQueue(string? owner, string queue) => Others.Match(queue) || (Own.Match(queue) && (owner is null || owner == Tenant));

    /// <summary>
    /// Whether an administrator may change a declared queue: one of its own, unless its role covers the queue for all tenants.
    /// </summary>
    public bool CanChangeQueue(string? owner, string queue) =>
        Others.Match(queue) || (owner is not null && owner == Tenant && Own.Match(queue));
}
