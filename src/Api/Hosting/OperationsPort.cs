using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Ports reserved for operations endpoints. Other routes are not found there, and if such ports exist, operations endpoints are not
/// found elsewhere.
/// </summary>
/// <param name="Ports">The ports; none: everything is served everywhere.</param>
internal sealed record OperationsPort(IReadOnlySet<int> Ports)
{
    /// <summary>Configuration key of the addresses, in the format of urls.</summary>
    public const string Key = "TaskQueue:Operations:Urls";

    public static OperationsPort Of(IEnumerable<ListenAddress> addresses) => new(addresses.Select(a => a.Binding.Port).ToHashSet());

    /// <summary>Whether a route is served at a port; unknown routes are treated like API routes.</summary>
    public bool Serves(int port, OperationsRoute? route) => Ports.Contains(port) ? route is not null : route is null or { Elsewhere: true };
}

internal static class OperationsPorts
{
    /// <summary>Hides routes at ports that do not serve them.</summary>
    public static void UseOperationsPort(this WebApplication app)
    {
        var own = app.Services.GetRequiredService<OperationsPort>();
        if (own.Ports.Count == 0)
            return;
        app.Use((context, next) =>
        {
            if (context.GetEndpoint() is { } endpoint
                && !own.Serves(context.Connection.LocalPort, endpoint.Metadata.GetMetadata<OperationsRoute>()))
            {
                context.SetEndpoint(null);
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            }

            return next(context);
        });
    }
}
