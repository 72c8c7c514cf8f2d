using System.Diagnostics.Metrics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Integration;

/// <summary>How an <see cref="OutboxApp"/> differs from the usual one.</summary>
internal sealed record OutboxAppSettings
{
    public Action<OutboxOptions>? Options { get; init; }

    /// <summary>Wraps the client.</summary>
    public Func<ITaskProducer, ITaskProducer>? Producer { get; init; }

    /// <summary>Registers another producer than the client.</summary>
    public Action<IServiceCollection>? Register { get; init; }

    public TimeProvider? Time { get; init; }

    public IInterceptor[] Interceptors { get; init; } = [];

    public bool Pools { get; init; }
}

/// <summary>A program with a database of its own and an outbox in it.</summary>
internal sealed class OutboxApp : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly IHost _host;

    private OutboxApp(IHost host) => _host = host;

    public OutboxAdmin<ShopDb> Admin => _host.Services.GetRequiredService<OutboxAdmin<ShopDb>>();

    public IMeterFactory Meters => _host.Services.GetRequiredService<IMeterFactory>();

    public static async Task<OutboxApp> StartAsync(TestDatabase database, Uri server, OutboxAppSettings? settings = null)
    {
        settings ??= new OutboxAppSettings();
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        var services = builder.Services;
        services.AddSingleton(settings.Time ?? TimeProvider.System);
        settings.Register?.Invoke(services);
        services.AddTaskQueueClient(o => o.BaseAddress = server);
        void Configure(DbContextOptionsBuilder options)
        {
            ShopDb.Configure(options, database);
            options.AddInterceptors(settings.Interceptors);
        }

        if (settings.Pools)
            services.AddDbContextPool<ShopDb>(Configure);
        else
            services.AddDbContext<ShopDb>(Configure);
        services.AddTaskQueueOutbox<ShopDb>(o =>
        {
            o.PollInterval = TimeSpan.FromMilliseconds(100);
            o.MaxBackoff = TimeSpan.FromMilliseconds(200);
            if (settings.Producer is { } wrap)
                o.Producer = sp => wrap(sp.GetRequiredService<TaskQueueClient>());
            settings.Options?.Invoke(o);
        });
        var host = builder.Build();
        await host.StartAsync();
        return new OutboxApp(host);
    }

    /// <summary>Handles a request: work with a context of its own.</summary>
    public async Task<T> HandleAsync<T>(Func<ShopDb, Task<T>> handle)
    {
        await using var scope = _host.Services.CreateAsyncScope();
        return await handle(scope.ServiceProvider.GetRequiredService<ShopDb>());
    }

    /// <summary>Enqueues tasks in one transaction, each with its number as data.</summary>
    public Task<List<Guid>> EnqueueAsync(string queue, int count) => HandleAsync(async db =>
    {
        var ids = Enumerable.Range(0, count).Select(n => db.Enqueue(queue, "ship", new { Number = n })).ToList();
        await db.SaveChangesAsync();
        return ids;
    });

    /// <summary>Waits until nothing waits to be sent.</summary>
    public Task EmptyAsync() => Eventually.UntilAsync(
        async () => (await Admin.GetStatisticsAsync()).Pending == 0, Patience, "the outbox is empty");

    public async Task<HealthStatus> HealthAsync() =>
        (await _host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync())
            .Entries[$"taskqueue-outbox-{nameof(ShopDb)}"].Status;

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
