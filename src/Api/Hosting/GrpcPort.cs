using TaskQueue.Adapters.Moab.Rpc;

namespace TaskQueue.Api.Hosting;

/// <summary>Ports that serve gRPC and nothing else. The other ports serve it too.</summary>
/// <param name="Ports">The ports; none: gRPC has no port of its own.</param>
internal sealed record GrpcPort(IReadOnlySet<int> Ports)
{
    /// <summary>Configuration key of the addresses, in the format of urls.</summary>
    public const string Key = "TaskQueue:Grpc:Urls";

    public static GrpcPort Of(IEnumerable<ListenAddress> addresses) => new(addresses.Select(a => a.Binding.Port).ToHashSet());
}

internal static class GrpcPorts
{
    /// <summary>Hides all other routes at the ports of gRPC.</summary>
    public static void UseGrpcPort(this WebApplication app)
    {
        var own = app.Services.GetRequiredService<GrpcPort>();
        if (own.Ports.Count == 0)
            return;
        app.Use((context, next) =>
        {
            if (!own.Ports.Contains(context.Connection.LocalPort)
                || context.GetEndpoint()?.Metadata.GetMetadata<GrpcRoute>() is not null)
                return next(context);
            context.SetEndpoint(null);
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
    }
}
