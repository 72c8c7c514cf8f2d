using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Client;

/// <summary>Connects workers over gRPC.</summary>
public static class GrpcWorkerOptions
{
    /// <summary>
    /// Claims from pull queues over gRPC instead of HTTP, with the address and the key of <see cref="TaskQueueClientOptions"/>: the server
    /// sends tasks as soon as they are due and the worker has room.
    /// </summary>
    /// <param name="options">The worker's options.</param>
    /// <param name="configure">Changes the channel, such as its message handler; null: nothing.</param>
    public static void UseGrpc(this TaskQueueWorkerOptions options, Action<GrpcChannelOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ConsumesPushQueues = false;
        options.Transport = (services, time) => ActivatorUtilities.CreateInstance<GrpcTransport>(
            services, options, new RpcConnection(services.ClientOptions(), configure, time), time);
    }
}
