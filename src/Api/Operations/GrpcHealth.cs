using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Api.Rpc;
using TaskQueue.Engine.Draining;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Operations;

/// <summary>The health service of gRPC: readiness as at /health/ready, for the server and each of its services.</summary>
internal sealed class GrpcHealth(HealthCheckService checks, Drain drain, TimeProvider time, bool needsBus)
    : Health.HealthBase, IDisposable
{
    private const int MaxWatches = 1024;

    /// <summary>Most bytes of a request: the name of a service.</summary>
    internal const int MaxMessageBytes = 1024;

    /// <summary>How long a result is used, and how often a watch looks.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private static readonly HashSet<string> Services = ["", MoabGrpc.Preview, MoabGrpc.V0, RpcServices.Tasks, RpcServices.Workers];

    private readonly SemaphoreSlim _measuring = new(1, 1);
    private volatile Result? _last;
    private int _watches;

    /// <inheritdoc />
    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
        Services.Contains(request.Service)
            ? new HealthCheckResponse { Status = await MeasureAsync(context.CancellationToken) }
            : throw new RpcException(new Status(StatusCode.NotFound, $"there is no service {request.Service}"));

    /// <inheritdoc />
    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        try
        {
            if (Interlocked.Increment(ref _watches) > MaxWatches)
                // What tells a client that it cannot watch; any other status, that the server is not healthy.
                throw new RpcException(new Status(StatusCode.Unimplemented, $"{MaxWatches} calls watch already; use Check"));
            await SendChangesAsync(request, responseStream, context.CancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The client or the process goes away.
        }
        finally
        {
            Interlocked.Decrement(ref _watches);
        }
    }

    public void Dispose() => _measuring.Dispose();

    private async Task SendChangesAsync(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, CancellationToken cancellationToken)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, drain.Cut);
        var sent = HealthCheckResponse.Types.ServingStatus.Unknown;
        while (!stopping.IsCancellationRequested)
        {
            var status = Services.Contains(request.Service)
                ? await MeasureAsync(cancellationToken) : HealthCheckResponse.Types.ServingStatus.ServiceUnknown;
            if (status != sent)
                await responseStream.WriteAsync(new HealthCheckResponse { Status = sent = status }, cancellationToken);
            if (drain.HasBegun)
                return; // a process that stops waits for its calls
            await Task.Delay(Fresh, time, stopping.Token);
        }
    }

    private async Task<HealthCheckResponse.Types.ServingStatus> MeasureAsync(CancellationToken cancellationToken)
    {
        if (Known() is { } known)
            return known;
        await _measuring.WaitAsync(cancellationToken);
        try
        {
            if (Known() is { } meanwhile)
                return meanwhile;
            var report = await checks.CheckHealthAsync(
                check => OperationsEndpoints.IsOfReadiness(check, drain, needsBus), cancellationToken);
            var status = report.Status == HealthStatus.Healthy
                ? HealthCheckResponse.Types.ServingStatus.Serving : HealthCheckResponse.Types.ServingStatus.NotServing;
            _last = new Result(status, time.GetTimestamp());
            return status;
        }
        finally
        {
            _measuring.Release();
        }
    }

    private HealthCheckResponse.Types.ServingStatus? Known() =>
        drain.HasBegun ? HealthCheckResponse.Types.ServingStatus.NotServing
            : _last is { } last && time.GetElapsedTime(last.At) < Fresh ? last.Status : null;

    private sealed record Result(HealthCheckResponse.Types.ServingStatus Status, long At);
}

internal static class GrpcHealthRoutes
{
    /// <param name="services">The services.</param>
    /// <param name="needsBus">Whether readiness requires the broker.</param>
    public static IServiceCollection AddGrpcHealth(this IServiceCollection services, bool needsBus)
    {
        services.AddOptions<GrpcServiceOptions<GrpcHealth>>()
            .PostConfigure(options => options.MaxReceiveMessageSize = GrpcHealth.MaxMessageBytes); // open to everybody
        return services.AddSingleton(s => new GrpcHealth(s.GetRequiredService<HealthCheckService>(), s.GetRequiredService<Drain>(),
            s.GetRequiredService<TimeProvider>(), needsBus));
    }

    /// <summary>Maps the health service; it is open, as the other health endpoints are.</summary>
    public static void MapGrpcHealth(this WebApplication app) =>
        app.MapGrpcService<GrpcHealth>().Open().ForOperations(elsewhere: true).WithMetadata(new GrpcRoute()).ExcludeFromDescription();
}
