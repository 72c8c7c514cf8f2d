using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client.Testing;

/// <summary>A worker with its own container, started and stopped like that of a host, but without the host's handling of signals.</summary>
internal sealed class TestWorker : IAsyncDisposable
{
    /// <summary>By the machine's clock; a worker that is stopped releases what it runs before.</summary>
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(10);

    private readonly ServiceProvider _services;
    private readonly IReadOnlyList<IHostedService> _hosted;
    private readonly HashSet<string> _queues;

    public TestWorker(Uri server, TimeProvider time, ILoggerProvider? log, Action<TaskQueueWorkerOptions> configure,
        Action<IServiceCollection>? services)
    {
        var collection = new ServiceCollection().AddSingleton(time);
        collection.AddLogging(logging =>
        {
            if (log is not null)
                logging.AddProvider(new Borrowed(log));
        });
        services?.Invoke(collection);
        IEnumerable<string> queues = [];
        collection.AddTaskQueueWorker(
            worker =>
            {
                worker.DrainTimeout = TimeSpan.FromSeconds(1);
                configure(worker);
                queues = worker.Queues;
            },
            client => client.BaseAddress = server).Directly();
        _queues = [.. queues.Select(q => q.Split(':')[0])];
        _services = collection.BuildServiceProvider();
        try
        {
            _hosted = [.. _services.GetServices<IHostedService>()];
        }
        catch
        {
            _services.Dispose();
            throw;
        }
    }

    public IReadOnlyCollection<string> Queues => _queues;

    public bool WorksOn(string queue) => _queues.Contains(queue);

    public async Task StartAsync()
    {
        foreach (var service in _hosted)
            await service.StartAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(LongestStop);
        await Task.WhenAll(_hosted.Select(s => StopAsync(s, patience.Token))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _services.DisposeAsync();
    }

    /// <summary>One that throws before its first await leaves the others running otherwise.</summary>
    private static async Task StopAsync(IHostedService service, CancellationToken cancellationToken) =>
        await service.StopAsync(cancellationToken);

    /// <summary>The provider of a test, which the container of a worker must not dispose.</summary>
    private sealed class Borrowed(ILoggerProvider provider) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => provider.CreateLogger(categoryName);

        public void Dispose()
        {
        }
    }
}

/// <summary>Connections of the test host.</summary>
internal static class DirectConnections
{
    /// <summary>Connects to the server without a proxy that the environment names.</summary>
    public static IServiceCollection Directly(this IServiceCollection services)
    {
        services.AddHttpClient("TaskQueue").ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { UseProxy = false });
        return services;
    }
}
