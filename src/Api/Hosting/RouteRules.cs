using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Hosting;

/// <summary>Startup checks of route metadata.</summary>
internal static class RouteRules
{
    /// <summary>Demands that every route declares its access, and that every administrative change is audited.</summary>
    /// <exception cref="StartupException">A route violates a rule.</exception>
    public static void DemandScopes(this IEndpointRouteBuilder app)
    {
        foreach (var endpoint in app.DataSources.SelectMany(source => source.Endpoints))
        {
            if (endpoint.Metadata.GetMetadata<NeededScope>() is null == endpoint.Metadata.GetMetadata<OpenRoute>() is null)
                throw new StartupException($"route {endpoint.DisplayName} must either need a scope or be open.");
            if (endpoint.Metadata.GetMetadata<NeededScope>()?.Scope == Scope.Admin && !IsRead(endpoint)
                && endpoint.Metadata.GetMetadata<AuditedRoute>() is null)
                throw new StartupException($"route {endpoint.DisplayName} needs the scope admin and must be audited.");
        }
    }

    private static bool IsRead(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods is { Count: > 0 } methods
            && methods.All(m => HttpMethods.IsGet(m) || HttpMethods.IsHead(m));
}
