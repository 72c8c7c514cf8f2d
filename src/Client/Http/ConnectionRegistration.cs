using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client.Http;

/// <summary>Registers the HTTP connection shared by clients and workers.</summary>
internal static class ConnectionRegistration
{
    /// <summary>Name of the <see cref="HttpClient"/>; use it to add handlers.</summary>
    public const string Name = "TaskQueue";

    /// <summary>Must exceed the longest wait of a request, 30 s.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    public static IServiceCollection AddConnection(this IServiceCollection services)
    {
        services.AddOptions<TaskQueueClientOptions>()
            .Validate(o =>
                o.BaseAddress is { IsAbsoluteUri: true, Scheme: "http" or "https" },
                "TaskQueueClientOptions.BaseAddress must be a URL such as http://localhost:8080")
            .Validate(o => o.ApiKey is null
                || (o.ApiKey.Length > 0 && o.ApiKey.All(c => c is > ' ' and <= '~')),
                "TaskQueueClientOptions.ApiKey must be printable ASCII without spaces");
        services.AddHttpClient(Name, (sp, http) =>
        {
            var options = sp.GetRequiredService<IOptions<TaskQueueClientOptions>>().Value;
            http.BaseAddress = options.BaseAddress;
            http.Timeout = Timeout;
            if (options.ApiKey is { } key)
                http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }).RemoveAllLoggers(); // they write four lines a request at Information
        return services;
    }

    /// <summary>Creates a connection. Create one per request, so that DNS changes are picked up.</summary>
    public static ServerConnection Connect(this IHttpClientFactory clients) => new(clients.CreateClient(Name));
}
