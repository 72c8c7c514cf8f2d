using TaskQueue.Engine.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Auth;

/// <summary>An authenticated caller. Created once per key.</summary>
/// <param name="Name">Name of the credential; null if authentication is off.</param>
/// <param name="Tenant">Owner of what the caller creates; null if authentication is off.</param>
/// <param name="Grants">Scopes and the queues they apply to.</param>
/// <param name="IsConfined">
/// Whether even an administrator reads and changes only what its tenant owns: the key or token names its own tenant. It works on
/// queues only if a grant says so, because workers receive the tasks of every tenant.
/// </param>
internal sealed record Caller(string? Name, string? Tenant, IReadOnlyList<Grant> Grants, bool IsConfined = false)
{
    private static readonly Scope[] Each = [Scope.Enqueue, Scope.Work, Scope.Read, Scope.Admin];

    private Access[]? _access;

    /// <summary>The anonymous caller while authentication is off.</summary>
    public static readonly Caller Anyone = new(null, null, [new(Scope.All, QueuePatterns.All)]);

    /// <summary>
    /// Whether this is a worker acting for the submitter of a task: it has access to the task's queue and nothing else of the
    /// tenant.
    /// </summary>
    public bool IsLent { get; init; }

    /// <summary>Rate limit of the key; null: the configured default.</summary>
    public RequestRate? Rate { get; init; }

    /// <summary>Id of an issued key; null for configured keys and tokens.</summary>
    public Guid? KeyId { get; init; }

    /// <summary>When the key or token expires, UTC; null: never.</summary>
    public DateTime? ExpiresAt { get; init; }

    /// <summary>Whether payloads, results, errors and progress are hidden: a session of the web console without that permission.</summary>
    public bool HidesPayloads { get; init; }

    /// <summary>Identity that holds the leases of its claims.</summary>
    private string? Credential => KeyId is { } id ? Credentials.OfKey(id) : Name is null ? null : Credentials.OfCaller(Name, Tenant);

    /// <summary>All scopes granted in any queue.</summary>
    public Scope Scopes { get; } = Effective(Grants, IsConfined).Aggregate(Scope.None, (all, grant) => all | grant.Scope);

    /// <summary>Whether the caller administers all queues of all tenants.</summary>
    public bool IsOperator => Access(Scope.Admin).SeesAllTenants;

    /// <summary>What the caller may read and change with a scope.</summary>
    public Access Access(Scope scope) => (_access ??= [.. Each.Select(Make)])[Array.IndexOf(Each, scope)];

    private Access Make(Scope scope)
    {
        if (Name is null)
            return Engine.Auth.Access.All;
        var (own, admin) = (Patterns(scope), Patterns(Scope.Admin));
        return new Access
        {
            Tenant = Tenant,
            Credential = Credential,
            Own = own,
            InQueuesOnly = IsLent,
            Others = scope == Scope.Work ? own : IsConfined ? QueuePatterns.None : admin,
        };
    }

    private QueuePatterns Patterns(Scope scope) =>
        Effective(Grants, IsConfined).Where(grant => grant.Scope.HasFlag(scope))
            .Aggregate(QueuePatterns.None, (all, grant) => all.Or(grant.Queues));

    private static IEnumerable<Grant> Effective(IReadOnlyList<Grant> grants, bool isConfined) =>
        grants.Select(grant => isConfined && grant.Scope == Scope.All ? grant with { Scope = Scope.All & ~Scope.Work } : grant);
}

internal static class Callers
{
    /// <summary>The caller of the request.</summary>
    public static Caller Caller(this HttpContext context) => context.Features.Get<Caller>() ?? Auth.Caller.Anyone;

    /// <summary>What the caller may read and change with the scope the route needs.</summary>
    public static Access Access(this HttpContext context) =>
        context.Caller().Access(context.GetEndpoint()?.Metadata.GetMetadata<NeededScope>()?.Scope switch
        {
            null or Scope.None => Scope.Read, // an open route
            var needed => needed.Value,
        });

    /// <summary>Demands that the caller's key covers a queue with the scope of the route.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void Demand(this HttpContext context, string queue)
    {
        if (!context.Access().Allows(queue))
            throw NotForQueue(queue);
    }

    /// <summary>Demands a caller that may use resources outside any queue.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void DemandTenant(this HttpContext context)
    {
        if (context.Access().InQueuesOnly)
            throw new ApiException(403, "forbidden", "a submitter token is valid for its queue only");
    }

    /// <summary>
    /// Whether a caller may see the counts of a queue. A shared one counts the tasks of every tenant, so a caller confined to a tenant may
    /// not see them.
    /// </summary>
    public static bool SeesCounts(Access access, Caller caller, string queue, string? owner) =>
        access.CanSeeQueue(owner, queue) && (owner is not null || !caller.IsConfined || access.Others.Match(queue));

    /// <summary>Demands that a queue is the administrator's own, or that its role covers the queue for all tenants.</summary>
    /// <param name="context">The request.</param>
    /// <param name="queue">Base name.</param>
    /// <param name="owner">Owner of the queue, or null.</param>
    /// <exception cref="ApiException">403.</exception>
    public static void DemandChange(this HttpContext context, string queue, string? owner)
    {
        if (!context.Access().CanChangeQueue(owner, queue))
            throw new ApiException(403, "forbidden",
                $"queue {queue} does not belong to this tenant; use a key whose role covers it for all tenants");
    }

    /// <summary>
    /// Demands that the key covers the queue named by a route value. Apply it inside <see cref="ApiErrors.AnswerFaults"/>.
    /// </summary>
    public static T DemandQueue<T>(this T endpoints, string value)
        where T : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter((context, next) =>
        {
            if (context.HttpContext.GetRouteValue(value) is string queue)
                context.HttpContext.Demand(queue);
            return next(context);
        });

    /// <summary>The error for a queue that the caller's key does not cover.</summary>
    public static ApiException NotForQueue(string queue) =>
        new(403, "forbidden", $"this key does not cover queue {queue} with the scope that the request needs");
}
