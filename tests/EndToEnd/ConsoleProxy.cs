using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Configuration;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A reverse proxy that shows a server below <c>/queue/</c>.</summary>
internal sealed class ConsoleProxy : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ConsoleProxy(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    /// <param name="target">The server.</param>
    /// <param name="removesPath">Whether the server gets paths without <c>/queue</c>.</param>
    public static async Task<ConsoleProxy> StartAsync(Uri target, bool removesPath)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var route = new RouteConfig { RouteId = "r", ClusterId = "c", Match = new RouteMatch { Path = "/queue/{**rest}" } };
        if (removesPath)
            route = route with { Transforms = [new Dictionary<string, string> { ["PathRemovePrefix"] = "/queue" }] };
        builder.Services.AddReverseProxy().LoadFromMemory([route], [new ClusterConfig
        {
            ClusterId = "c",
            Destinations = new Dictionary<string, DestinationConfig> { ["d"] = new() { Address = target.ToString() } },
        }]);
        var app = builder.Build();
        app.MapReverseProxy();
        await app.StartAsync();
        return new ConsoleProxy(app);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
