using TaskQueue.Api.Http;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Api.Auth;

/// <summary>Who calls.</summary>
/// <param name="Name">The owner of what the caller makes; null where nobody has to say who they are.</param>
/// <param name="Key">The bearer token as presented, or null.</param>
/// <param name="Scopes">What the caller may do.</param>
/// <param name="Queues">Prefixes of the queues that the caller may use; null is all.</param>
internal sealed record Caller(string? Name, string? Key, Scope Scopes, IReadOnlyList<string>? Queues)
{
    /// <summary>Nobody in particular: no keys are configured.</summary>
    public static readonly Caller Anyone = new(null, null, Scope.All, null);

    /// <summary>What the caller may look at, change and cancel.</summary>
    public Access Sees { get; } = new(Scopes.HasFlag(Scope.Admin) ? null : Name, Queues);

    /// <summary>What the caller may work on.</summary>
    public Access Works { get; } = new(null, Queues);

    /// <summary>How many requests the key may make; null is as configured for everybody.</summary>
    public RequestRate? Rate { get; init; }

    /// <summary>A queue that the caller names must be one that the key is for.</summary>
    /// <exception cref="DoorException">403.</exception>
    public void Demand(string queue)
    {
        if (!Works.Allows(queue))
            throw new DoorException(403, "forbidden", $"this key is not for queue {queue}");
    }
}

internal static class Callers
{
    /// <summary>Who calls.</summary>
    public static Caller Caller(this HttpContext context) => context.Features.Get<Caller>() ?? Auth.Caller.Anyone;

    /// <summary>Demands that the queue in a value of the route is one that the key is for; put it inside of <see cref="DoorFaults.AnswerFaults"/>.</summary>
    public static T DemandQueue<T>(this T endpoints, string value)
        where T : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter((context, next) =>
        {
            if (context.HttpContext.GetRouteValue(value) is string queue)
                context.HttpContext.Caller().Demand(queue);
            return next(context);
        });
}
