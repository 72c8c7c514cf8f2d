using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Model;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Rpc;

/// <summary>Registers and maps services of gRPC.</summary>
internal static class RpcRoutes
{
    /// <summary>Largest message that arrives compressed, once it is decompressed: that is how much memory it needs at first.</summary>
    public const int MaxPlainBytes = 4 * 1024 * 1024;

    /// <summary>Adds a service.</summary>
    /// <param name="services">The services.</param>
    /// <param name="maxBytes">Largest message of any of its RPCs.</param>
    /// <typeparam name="TService">Handles the calls.</typeparam>
    /// <typeparam name="TMethods">Its RPCs.</typeparam>
    public static IServiceCollection AddRpc<TService, TMethods>(this IServiceCollection services, Func<IServiceProvider, long> maxBytes)
        where TService : class
        where TMethods : class, IServiceMethodProvider<TService>
    {
        services.AddGrpc(options => options.IgnoreUnknownServices = true);
        services.AddSingleton<TService>().AddSingleton<IServiceMethodProvider<TService>, TMethods>();
        services.AddOptions<GrpcServiceOptions<TService>>()
            .PostConfigure<IServiceProvider>((grpc, all) =>
            {
                var most = (int)Math.Min(maxBytes(all), int.MaxValue);
                grpc.MaxReceiveMessageSize = most;
                grpc.CompressionProviders = BoundedCompression.All(Math.Min(most, MaxPlainBytes), RpcErrors.ToException);
            });
        return services;
    }

    /// <summary>Maps the RPCs of a service. Memory for a message is reserved before it is read.</summary>
    public static void MapRpc<TService>(this WebApplication app)
        where TService : class =>
        app.MapGrpcService<TService>().ForKeysOnly().ExcludeFromDescription().Add(endpoint =>
        {
            if (endpoint.RequestDelegate is { } next && endpoint.Metadata.OfType<RpcRule>().FirstOrDefault() is { IsStream: false } rule)
                endpoint.RequestDelegate = context => GrpcMessage.ServeAsync(
                    context, next, (int)Math.Min(rule.MaxBytes, int.MaxValue), MaxPlainBytes);
        });

    /// <summary>Answers calls of RPCs that a service does not have.</summary>
    public static void MapNoRpc(this WebApplication app, string service) =>
        app.Map($"/{service}/{{rpc}}", NoRpcAsync).Needs(Scope.None)
            .WithMetadata(new GrpcRoute(), new ApiErrorFormat(RpcErrors.ToResult)).ExcludeFromDescription();

    private static Task NoRpcAsync(HttpContext context) =>
        ApiErrors.AnswerAsync(context, new ApiError(501, "unknown_rpc", $"there is no RPC {context.GetRouteValue("rpc")}"));
}
