using System.Runtime.InteropServices;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Keeps the server listening while it announces its shutdown. A second signal ends the announcement and the grace period.
/// </summary>
internal sealed partial class DrainService(Drain drain, IHostApplicationLifetime lifetime, IOptions<DrainOptions> options,
    ILogger<DrainService> logger) : IHostedLifecycleService
{
    private readonly List<PosixSignalRegistration> _signals = [];

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        lifetime.StopApplication(); // in case the program, not a signal, stops the host
        LogDraining(options.Value.AnnounceSeconds, options.Value.GraceSeconds);
        // Registered only now: the first signal started the shutdown.
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Hurry));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, Hurry));
        using var end = CancellationTokenSource.CreateLinkedTokenSource(drain.Announced, cancellationToken);
        await Task.Delay(Timeout.Infinite, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        _signals.ForEach(s => s.Dispose());
        _signals.Clear();
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Hurry(PosixSignalContext signal)
    {
        LogHurry(signal.Signal);
        drain.Hurry();
    }

    [LoggerMessage(LogLevel.Information,
        "Stopping: no longer ready; listening for another {Announce} s, then running work may continue for {Grace} s")]
    private partial void LogDraining(double announce, double grace);

    [LoggerMessage(LogLevel.Warning, "{Signal} received again: releasing running tasks now")]
    private partial void LogHurry(PosixSignal signal);
}
