using TaskQueue.Engine.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Auth;

/// <summary>Who calls. Made once for each key.</summary>
/// <param name="Name">The credential; null where nobody has to authenticate.</param>
/// <param name="Tenant">Owner of what the caller makes; null where nobody has to authenticate.</param>
/// <param name="Grants">What the caller may do, and in which queues.</param>
/// <param name="IsConfined">
/// Whether even an administrator sees and changes only what its tenant owns: the key or token names a tenant of its own. It works
/// on queues only where a grant says so, because workers get the tasks of every tenant.
/// </param>
internal sealed record Caller(string? Name, string? Tenant, IReadOnlyList<Grant> Grants, bool IsConfined = false)
{
    private static readonly Scope[] Each = [Scope.Enqueue, Scope.Work, Scope.Read, Scope.Admin];

    private Access[]? _access;

    /// <summary>Nobody in particular: authentication is off.</summary>
    public static readonly Caller Anyone = new(null, null, [new(Scope.All, QueuePatterns.All)]);

    /// <summary>
    /// Whether it is a worker that acts for the submitter of a task: it reaches what is in the task's queue, and nothing else of the
    /// tenant.
    /// </summary>
    public bool IsLent { get; init; }

    /// <summary>Requests that the key may make; null is as configured for every caller.</summary>
    public RequestRate? Rate { get; init; }

    /// <summary>The id of an issued key; null for configured keys and tokens.</summary>
    public Guid? KeyId { get; init; }

    /// <summary>When the key or token expires, UTC; null is never.</summary>
    public DateTime? ExpiresAt { get; init; }

    /// <summary>What holds the leases of its claims.</summary>
    private string? Credential => KeyId is { } id ? Credentials.OfKey(id) : Name is null ? null : Credentials.OfCaller(Name, Tenant);

    /// <summary>Everything that is allowed in some queue.</summary>
    public Scope Scopes { get; } = Effective(Grants, IsConfined).Aggregate(Scope.None, (all, grant) => all | grant.Scope);

    /// <summary>Whether the caller administrates the server: every queue of every tenant.</summary>
    public bool IsOperator => Access(Scope.Admin).SeesAllTenants;

    /// <summary>What the caller may see and change with a scope.</summary>
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
    /// <summary>Who calls.</summary>
    public static Caller Caller(this HttpContext context) => context.Features.Get<Caller>() ?? Auth.Caller.Anyone;

    /// <summary>What the caller may see and change here: the scope is the one that the route needs.</summary>
    public static Access Access(this HttpContext context) =>
        context.Caller().Access(context.GetEndpoint()?.Metadata.GetMetadata<NeededScope>()?.Scope switch
    {
        null or Scope.None => Scope.Read, // an open route
        var needed => needed.Value,
    });

    /// <summary>A queue that the caller names must be one that its key covers with the scope of the route.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void Demand(this HttpContext context, string queue)
    {
        if (!context.Access().Allows(queue))
            throw NotForQueue(queue);
    }

    /// <summary>Demands a caller that may use what belongs to no queue.</summary>
    /// <exception cref="ApiException">403.</exception>
    public static void DemandTenant(this HttpContext context)
    {
        if (context.Access().InQueuesOnly)
            throw new ApiException(403, "forbidden", "a token that was lent for a task is for its queue only");
    }

    /// <summary>A declared queue that an administrator changes must be its own, or its role must cover the queue for all tenants.</summary>
    /// <param name="context">The request.</param>
    /// <param name="queue">Base name.</param>
    /// <param name="owner">Who declared it, or null.</param>
    /// <exception cref="ApiException">403.</exception>
    public static void DemandChange(this HttpContext context, string queue, string? owner)
    {
        if (!context.Access().CanChangeQueue(owner, queue))
            throw new ApiException(403, "forbidden",
                $"queue {queue} is not this tenant's own; use a key whose role covers it for all tenants");
    }

    /// <summary>
    /// Demands that the queue in a value of the route is one that the key covers; put it inside of <see cref="ApiErrors.AnswerFaults"/>.
    /// </summary>
    public static T DemandQueue<T>(this T endpoints, string value)
        where T : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter((context, next) =>
        {
            if (context.HttpContext.GetRouteValue(value) is string queue)
                context.HttpContext.Demand(queue);
            return next(context);
        });

    /// <summary>The answer to a caller that names a queue which its key does not cover.</summary>
    public static ApiException NotForQueue(string queue) =>
        new(403, "forbidden", $"this key does not cover queue {queue} with the scope that the request needs");
}
