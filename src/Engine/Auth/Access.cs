namespace TaskQueue.Engine.Auth;

/// <summary>
/// What a caller may see and change under the scope that its request needs. Every API, command and bus message applies this one rule. What
/// the caller may not see does not exist for it.
/// </summary>
public sealed record Access
{
    /// <summary>Unrestricted: the engine itself, and every caller of a server without authentication.</summary>
    public static readonly Access All = new() { Others = QueuePatterns.All };

    /// <summary>What a tenant owns, in all queues or in the given ones.</summary>
    public static Access Of(string tenant, params IReadOnlyList<string> queues) =>
        new() { Tenant = tenant, Own = QueuePatterns.Of(queues.Count == 0 ? null : queues) };

    /// <summary>Owner of what the caller creates; null is no owner.</summary>
    public string? Tenant { get; init; }

    /// <summary>Queues in which the caller sees only what its tenant owns.</summary>
    public QueuePatterns Own { get; init; } = QueuePatterns.None;

    /// <summary>Queues in which the caller sees what every tenant owns: those of a worker or an administrator.</summary>
    public QueuePatterns Others { get; init; } = QueuePatterns.None;

    /// <summary>
    /// Credential that holds the leases of the caller's claims; only the same credential may report on them. Null is not checked.
    /// </summary>
    public string? Credential { get; init; }

    /// <summary>
    /// Whether to hide what belongs to no queue, such as files, even from its own tenant: for tokens lent to a worker for one queue.
    /// </summary>
    public bool InQueuesOnly { get; init; }

    /// <summary>Whether the caller sees what belongs to no queue, such as files and keys, of every owner.</summary>
    public bool SeesAllTenants => Others.IsAll;

    /// <summary>Whether the caller may use a queue: submit to it, claim from it, list it.</summary>
    public bool Allows(string queue) => Own.Match(queue) || Others.Match(queue);

    /// <summary>Whether a task, batch or schedule exists for the caller.</summary>
    public bool CanRead(string? owner, string queue) => Others.Match(queue) || (owner is not null && owner == Tenant && Own.Match(queue));

    /// <summary>Whether something that belongs to no queue, such as a file, exists for the caller.</summary>
    public bool CanRead(string? owner) => SeesAllTenants || (owner is not null && owner == Tenant && !InQueuesOnly);

    /// <summary>Whether a queue is listed, and an administrator may change it: it is shared or owned by the tenant.</summary>
    public bool CanSeeQueue(string? owner, string queue) => Others.Match(queue) || (Own.Match(queue) && (owner is null || owner == Tenant));

    /// <summary>Whether an administrator may change a declared queue: its own, or any queue that its role covers for all tenants.</summary>
    public bool CanChangeQueue(string? owner, string queue) =>
        Others.Match(queue) || (owner is not null && owner == Tenant && Own.Match(queue));
}
