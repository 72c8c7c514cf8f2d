using Microsoft.AspNetCore.Routing.Matching;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>Marks a route of gRPC.</summary>
internal sealed record GrpcRoute;

/// <summary>Marks a route of JSON whose path is also one of gRPC.</summary>
internal sealed record JsonRoute;

/// <summary>Chooses between routes of gRPC and of JSON with one path, by the content type.</summary>
internal sealed class GrpcRoutes : MatcherPolicy, IEndpointSelectorPolicy
{
    private const string ContentType = "application/grpc";

    /// <inheritdoc />
    public override int Order => 0;

    /// <inheritdoc />
    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) =>
        endpoints.Any(endpoint => Is<GrpcRoute>(endpoint) || Is<JsonRoute>(endpoint));

    /// <inheritdoc />
    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        var isGrpc = httpContext.Request.ContentType is { } type && type.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase);
        for (var i = 0; i < candidates.Count; i++)
        {
            if (candidates.IsValidCandidate(i) && (isGrpc ? Is<JsonRoute>(candidates[i].Endpoint) : Is<GrpcRoute>(candidates[i].Endpoint)))
                candidates.SetValidity(i, false);
        }

        return Task.CompletedTask;
    }

    private static bool Is<T>(Endpoint endpoint)
        where T : class => endpoint.Metadata.GetMetadata<T>() is not null;
}
