using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskQueue.Api.Hosting;

namespace TaskQueue.Tests.Servers;

/// <summary>The whole server in this process, on a real socket with a free port.</summary>
internal sealed class TestHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestHost(WebApplication app)
    {
        _app = app;
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Http = new HttpClient { BaseAddress = new Uri(address) };
    }

    public HttpClient Http { get; }

    public IServiceProvider Services => _app.Services;

    /// <param name="database">A migrated database, or a SQLite file.</param>
    /// <param name="rabbitMq">A virtual host, or null for the in-process bus.</param>
    /// <param name="roles">As on the command line; null is all.</param>
    /// <param name="settings">Configuration keys such as TaskQueue:MaxPayloadBytes.</param>
    /// <param name="services">Changes to the container, such as another TimeProvider.</param>
    /// <param name="log">Gets what the server logs.</param>
    public static async Task<TestHost> StartAsync(
        string database, string? rabbitMq = null, string? roles = null,
        IReadOnlyDictionary<string, string?>? settings = null, Action<IServiceCollection>? services = null, ILoggerProvider? log = null)
    {
        var app = Server.Build(new ServerOptions(roles, "http://127.0.0.1:0"), builder =>
        {
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["ConnectionStrings:TaskQueue"] = database,
                ["ConnectionStrings:RabbitMq"] = rabbitMq,
            });
            builder.Configuration.AddInMemoryCollection(settings ?? new Dictionary<string, string?>());
            SqlServerTranslation.AddTo(builder.Services);
            services?.Invoke(builder.Services);
        });
        if (log is not null)
            app.Services.GetRequiredService<ILoggerFactory>().AddProvider(log); // the server chooses its providers itself
        await StartupChecks.RunAsync(app.Services, CancellationToken.None);
        await app.StartAsync();
        var host = new TestHost(app);
        await Eventually.UntilAsync(
            async () => (await host.Http.GetAsync("/health/ready")).IsSuccessStatusCode, TimeSpan.FromSeconds(30), "the server is ready");
        return host;
    }

    /// <summary>Stops as SIGTERM does: every role drains.</summary>
    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
