using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>HTTP client of a TaskQueue server. Thread-safe; use one instance per program.</summary>
public sealed partial class TaskQueueClient : ITaskProducer
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly IHttpClientFactory _clients;
    private readonly TimeProvider _time;
    private readonly ITaskPayloadCodec? _codec;
    private readonly EnqueuePipeline _pipeline;

    internal TaskQueueClient(IHttpClientFactory clients, TimeProvider time, ITaskPayloadCodec? codec, EnqueuePipeline pipeline)
    {
        _pipeline = pipeline;
        _clients = clients;
        _time = time;
        _codec = codec;
    }

    /// <summary>Retries transient failures. For idempotent requests only.</summary>
    /// <param name="send">Sends the request; receives the number of the try, from 1.</param>
    /// <param name="cancellationToken">Stops retrying.</param>
    private Task<T> TryAsync<T>(Func<ServerConnection, int, Task<T>> send, CancellationToken cancellationToken) =>
        Retries.RunAsync(i => send(_clients.Connect(), i), _time, cancellationToken);
}

/// <summary>Registers the client.</summary>
public static class ClientRegistration
{
    /// <summary>Adds a <see cref="TaskQueueClient"/>, also as <see cref="ITaskProducer"/> if none is registered yet.</summary>
    public static IServiceCollection AddTaskQueueClient(this IServiceCollection services, Action<TaskQueueClientOptions> configure) =>
        services.AddConnection().Configure(configure)
            .AddClient()
            .AddProducer<TaskQueueClient>();

    /// <summary>
    /// Configures the <see cref="HttpClient"/> of the client and of workers over HTTP, such as with message handlers or a resilience
    /// handler. Waits last up to 30 s, so any timeout must be longer. Call it before or after the client is added.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Adds handlers.</param>
    public static IServiceCollection ConfigureTaskQueueHttpClient(this IServiceCollection services, Action<IHttpClientBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(services.AddHttpClient(ConnectionRegistration.Name));
        return services;
    }

    /// <summary>Adds the client unless it is registered already.</summary>
    internal static IServiceCollection AddClient(this IServiceCollection services)
    {
        services.AddPipeline().TryAddSingleton(Create);
        return services;
    }

    private static TaskQueueClient Create(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptions<TaskQueueClientOptions>>()
            .Value; // validates here rather than with the first request
        return new TaskQueueClient(services.GetRequiredService<IHttpClientFactory>(),
            services.GetService<TimeProvider>() ?? TimeProvider.System, options.Codec, services.GetRequiredService<EnqueuePipeline>());
    }
}
