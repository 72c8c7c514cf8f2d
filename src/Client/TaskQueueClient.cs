using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>The client.</summary>
public sealed partial class TaskQueueClient
{
    private readonly IHttpClientFactory _clients;

    internal TaskQueueClient(IHttpClientFactory clients) => _clients = clients;
}

/// <summary>Registers the client.</summary>
public static class ClientRegistration
{
    /// <summary>Adds a <see cref="TaskQueueClient"/>.</summary>
    public static IServiceCollection AddTaskQueueClient(this IServiceCollection services, Action<TaskQueueClientOptions> configure) =>
        services.AddConnection().Configure(configure).AddSingleton(sp => new TaskQueueClient(sp.GetRequiredService<IHttpClientFactory>()));
}
