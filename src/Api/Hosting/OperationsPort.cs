using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Ports where operators and their machines ask, and nobody else: what is not for them is not found there, and where there are
/// such ports, what is for them alone is found nowhere else.
/// </summary>
/// <param name="Ports">None: everything is served everywhere.</param>
internal sealed record OperationsPort(IReadOnlySet<int> Ports)
{
    /// <summary>The addresses, as in urls.</summary>
    public const string Key = "TaskQueue:Operations:Urls";

    public static OperationsPort Of(IEnumerable<ListenAddress> addresses) => new(addresses.Select(a => a.Binding.Port).ToHashSet());

    /// <summary>Whether a route is served at a port; unknown routes are as those of APIs.</summary>
    public bool Serves(int port, OperationsRoute? route) => Ports.Contains(port) ? route is not null : route is null or { Elsewhere: true };
}

internal static class OperationsPorts
{
    /// <summary>Hides routes at ports that they are not for.</summary>
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
