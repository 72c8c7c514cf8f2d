using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Hosting;

/// <summary>What every route must say of itself, checked at start.</summary>
internal static class RouteRules
{
    /// <summary>Every route must say who may use it, and every route that changes something as an administrator is recorded.</summary>
    /// <exception cref="StartupException">One does not.</exception>
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
