using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Registers the gRPC producer.</summary>
public static class GrpcProducerRegistration
{
    /// <summary>Adds a <see cref="TaskQueueGrpcProducer"/>, also as <see cref="ITaskProducer"/> if none is registered yet.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Address and key; null if <see cref="TaskQueueClientOptions"/> is configured elsewhere.</param>
    /// <param name="channel">Changes the channel, such as its message handler; null: nothing.</param>
    public static IServiceCollection AddTaskQueueGrpcProducer(
        this IServiceCollection services, Action<TaskQueueClientOptions>? configure = null, Action<GrpcChannelOptions>? channel = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddConnection();
        if (configure is not null)
            services.Configure(configure);
        return services.AddPipeline()
            .AddSingleton(sp =>
            {
                var (options, time) = (sp.ClientOptions(), sp.GetService<TimeProvider>() ?? TimeProvider.System);
                return new TaskQueueGrpcProducer(new RpcConnection(options, channel, time), time, options.Codec,
                    sp.GetRequiredService<EnqueuePipeline>());
            })
            .AddProducer<TaskQueueGrpcProducer>();
    }

    /// <summary>Address and key, validated.</summary>
    internal static TaskQueueClientOptions ClientOptions(this IServiceProvider services) =>
        services.GetRequiredService<IOptions<TaskQueueClientOptions>>().Value;
}
