using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Model;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>
/// The API over gRPC, in the versions that clients have. Requests pass the same middleware as those of JSON: keys, limits, quotas.
/// </summary>
internal static class MoabGrpc
{
    public const string Preview = "com.evrblk.moab.preview.MoabPreviewApi";

    public const string V0 = "com.evrblk.moab.v0.MoabApi";

    public static IServiceCollection AddMoabGrpc(this IServiceCollection services)
    {
        // Unknown services are unknown routes, which clients of gRPC understand; unknown RPCs of these services are answered here.
        services.AddGrpc(options => options.IgnoreUnknownServices = true);
        services.AddOptions<GrpcServiceOptions>().PostConfigure<IOptions<MoabOptions>>((grpc, moab) =>
            grpc.CompressionProviders = BoundedCompression.All(moab.Value.MaxMessageBytes, GrpcErrors.ToException));
        services.AddSingleton<MatcherPolicy, GrpcRoutes>();
        services.AddSingleton<IServiceMethodProvider<MoabPreviewService>, MoabPreviewService.Methods>();
        services.AddSingleton<IServiceMethodProvider<MoabV0Service>, MoabV0Service.Methods>();
        services.AddSingleton<ISignedCallers, MoabSignatures>();
        LimitMessages<MoabPreviewService>(services);
        LimitMessages<MoabV0Service>(services);
        return services;
    }

    public static void MapMoabGrpc(this WebApplication app)
    {
        Map<MoabPreviewService>(app, Preview);
        Map<MoabV0Service>(app, V0);
    }

    private static void LimitMessages<TService>(IServiceCollection services)
        where TService : class =>
        services.AddOptions<GrpcServiceOptions<TService>>()
            .PostConfigure<IOptions<MoabOptions>>((grpc, moab) => grpc.MaxReceiveMessageSize = moab.Value.MaxMessageBytes);

    private static void Map<TService>(WebApplication app, string service)
        where TService : class
    {
        var maxBytes = app.Services.GetRequiredService<IOptions<MoabOptions>>().Value.MaxMessageBytes;
        app.MapGrpcService<TService>().ForKeysOnly().ExcludeFromDescription().Add(endpoint =>
        {
            if (endpoint.RequestDelegate is { } next)
                endpoint.RequestDelegate = context => GrpcMessage.ServeAsync(context, next, maxBytes, maxBytes);
        });
        app.Map($"/{service}/{{rpc}}", NoRpcAsync).Needs(Scope.None)
            .WithMetadata(new GrpcRoute(), new ApiErrorFormat(GrpcErrors.ToResult)).ExcludeFromDescription();
    }

    private static Task NoRpcAsync(HttpContext context) =>
        ApiErrors.AnswerAsync(context, new ApiError(501, "UNIMPLEMENTED", $"there is no RPC {context.GetRouteValue("rpc")}"));
}
