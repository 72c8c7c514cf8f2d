using Hangfire;
using Hangfire.Common;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Hangfire's server in this process: two workers, and polling for due jobs.</summary>
internal sealed class MaintenanceServer(
    JobStorage storage, JobFilterCollection filters, MaintenanceActivator activator, IOptions<MaintenanceOptions> options,
    IHostApplicationLifetime lifetime) : IHostedService, IDisposable
{
    private const int Workers = 2;

    /// <summary>How long shutdown waits for running jobs: they are cancelled immediately, and another process repeats them.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(5);

    private CancellationTokenRegistration _stopping;
    private BackgroundJobServer? _server;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var server = _server = new BackgroundJobServer(
            new BackgroundJobServerOptions
            {
                ServerName = Environment.MachineName,
                WorkerCount = Workers,
                Queues = [MaintenanceSchedule.Queue],
                SchedulePollingInterval = options.Value.PollEvery,
                StopTimeout = TimeSpan.Zero,
                ShutdownTimeout = Farewell,
                FilterProvider = filters,
                Activator = activator,
            },
            storage);
        _stopping = lifetime.ApplicationStopping.Register(server.SendStop);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_server is null)
            return;
        await _stopping.DisposeAsync();
        _server.SendStop();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        end.CancelAfter(Farewell);
        await _server.WaitForShutdownAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose()
    {
        _server?.Dispose();
        _server = null;
    }
}
