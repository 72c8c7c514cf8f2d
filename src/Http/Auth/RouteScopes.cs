using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>The scope that a caller of a route needs.</summary>
internal sealed record NeededScope(Scope Scope);

/// <summary>A route for everybody, whether or not there are keys.</summary>
internal sealed record OpenRoute;

/// <summary>A route whose answer may take as long as there is nothing to say: no place is counted for it.</summary>
internal sealed record WaitingRoute;

/// <summary>
/// A route of operators and their machines: limits of requests do not count for it, because a busy server must be seen to be one.
/// </summary>
/// <param name="Elsewhere">Whether it is also served where everything else is, though there is a port for operations.</param>
internal sealed record OperationsRoute(bool Elsewhere);

/// <summary>Who may use a route, said where it is mapped.</summary>
internal static class RouteScopes
{
    /// <summary>Callers need a scope; where a group and a route of it both say one, the route's counts.</summary>
    public static T Needs<T>(this T endpoints, Scope scope)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new NeededScope(scope));

    /// <summary>Everybody may call.</summary>
    public static T Open<T>(this T endpoints)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new OpenRoute());

    /// <summary>A long-poll or a stream: it does not count as a request that is worked on.</summary>
    public static T MayWait<T>(this T endpoints)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new WaitingRoute());

    /// <summary>A route for operators: see <see cref="OperationsRoute"/>.</summary>
    public static T ForOperations<T>(this T endpoints, bool elsewhere = false)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new OperationsRoute(elsewhere));
}
