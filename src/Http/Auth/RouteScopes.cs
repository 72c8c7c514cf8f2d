using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>The scope a route requires.</summary>
internal sealed record NeededScope(Scope Scope);

/// <summary>A route open to all callers, with or without keys.</summary>
internal sealed record OpenRoute;

/// <summary>A long-poll or stream, which takes no concurrency permit.</summary>
internal sealed record WaitingRoute;

/// <summary>A route for operators and their tools. Request limits do not apply, because a busy server must stay observable.</summary>
/// <param name="Elsewhere">Whether it is also served on the main port when there is a separate operations port.</param>
internal sealed record OperationsRoute(bool Elsewhere);

/// <summary>A route for programs, which sessions of the web console do not open.</summary>
internal sealed record KeysOnlyRoute;

/// <summary>Declares the access to a route where it is mapped.</summary>
internal static class RouteScopes
{
    /// <summary>Requires a scope; a route's scope overrides that of its group.</summary>
    public static T Needs<T>(this T endpoints, Scope scope)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new NeededScope(scope));

    /// <summary>Opens the route to all callers.</summary>
    public static T Open<T>(this T endpoints)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new OpenRoute());

    /// <summary>Marks routes for programs, which sessions of the web console do not open.</summary>
    public static T ForKeysOnly<T>(this T endpoints)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new KeysOnlyRoute());

    /// <summary>Marks a long-poll or stream, which does not count against the concurrency limit.</summary>
    public static T MayWait<T>(this T endpoints)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new WaitingRoute());

    /// <summary>Marks a route for operators; see <see cref="OperationsRoute"/>.</summary>
    public static T ForOperations<T>(this T endpoints, bool elsewhere = false)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new OperationsRoute(elsewhere));
}
