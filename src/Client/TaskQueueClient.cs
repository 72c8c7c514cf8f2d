using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>HTTP client of a TaskQueue server. Thread-safe; use one instance per program.</summary>
public sealed partial class TaskQueueClient : ITaskProducer
{
    private const int Tries = 5;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly IHttpClientFactory _clients;
    private readonly TimeProvider _time;
    private readonly ITaskPayloadCodec? _codec;

    internal TaskQueueClient(IHttpClientFactory clients, TimeProvider time, ITaskPayloadCodec? codec)
    {
        _clients = clients;
        _time = time;
        _codec = codec;
    }

    /// <summary>Retries transient failures. For idempotent requests only.</summary>
    /// <param name="send">Sends the request; receives the number of the try, from 1.</param>
    /// <param name="cancellationToken">Stops retrying.</param>
    private async Task<T> TryAsync<T>(Func<ServerConnection, int, Task<T>> send, CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        for (var i = 1; ; i++)
        {
            try
            {
                return await send(_clients.Connect(), i);
            }
            catch (TaskQueueException fault) when (fault.IsTransient && i < Tries)
            {
                await Task.Delay(fault.RetryAfter is { } wish && wish > pause ? wish : pause, _time, cancellationToken);
                pause *= 2;
            }
        }
    }
}

/// <summary>Registers the client.</summary>
public static class ClientRegistration
{
    /// <summary>Adds a <see cref="TaskQueueClient"/>, also as <see cref="ITaskProducer"/> if none is registered yet.</summary>
    public static IServiceCollection AddTaskQueueClient(this IServiceCollection services, Action<TaskQueueClientOptions> configure) =>
        services.AddConnection().Configure(configure)
            .AddClient()
            .AddProducer<TaskQueueClient>();

    /// <summary>Adds the client unless it is registered already.</summary>
    internal static IServiceCollection AddClient(this IServiceCollection services)
    {
        services.TryAddSingleton(Create);
        return services;
    }

    private static TaskQueueClient Create(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptions<TaskQueueClientOptions>>()
            .Value; // validates here rather than with the first request
        return new TaskQueueClient(services.GetRequiredService<IHttpClientFactory>(),
            services.GetService<TimeProvider>() ?? TimeProvider.System, options.Codec);
    }
}
