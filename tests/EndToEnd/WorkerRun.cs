using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Client;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A third-party program with a worker in it.</summary>
internal sealed class WorkerRun : IAsyncDisposable
{
    private readonly IHost _host;
    private bool _stopped;

    private WorkerRun(IHost host) => _host = host;

    public IServiceProvider Services => _host.Services;

    public static async Task<WorkerRun> StartAsync(Uri server, Action<TaskQueueWorkerOptions> configure,
        Action<IServiceCollection>? services = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.Error);
        builder.Services.AddTaskQueueWorker(configure, client => client.BaseAddress = server);
        services?.Invoke(builder.Services);
        var run = new WorkerRun(builder.Build());
        await run._host.StartAsync();
        return run;
    }

    /// <summary>Stops as SIGTERM does.</summary>
    public async Task StopAsync()
    {
        if (!_stopped)
            await _host.StopAsync();
        _stopped = true;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _host.Dispose();
    }
}
