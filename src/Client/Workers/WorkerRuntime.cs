using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>
/// The one loop of workers, on every transport: fetches tasks, runs them, keeps their leases, reports their outcomes, and gives back
/// what it cannot finish.
/// </summary>
internal sealed class WorkerRuntime(
    WorkerRuntimeOptions options, IWorkerTransport transport, IAttemptHandler handler, TimeProvider time, ILogger logger)
{
    private readonly InFlightAttempts _attempts = new(options, transport.ReturnsUnbegun);

    /// <summary>How many tasks run, or have ended and are not reported.</summary>
    public int Running => _attempts.Running;

    /// <summary>Runs until it stops and all is reported.</summary>
    /// <param name="stopping">Nothing more is taken; what runs may go on.</param>
    /// <param name="drainOver">What still runs is given back.</param>
    /// <exception cref="Exception">The transport ended with a fault; what was taken has been finished or given back.</exception>
    public async Task RunAsync(CancellationToken stopping, CancellationToken drainOver = default)
    {
        using var giveUp = new CancellationTokenSource();
        using var heartbeatsEnd = new CancellationTokenSource();
        var running = new AttemptRunner(_attempts, options, handler, time, logger).RunAsync();
        var reporting = new Reporter(_attempts, transport, options.LongestBackoff, time, logger).RunAsync(giveUp.Token);
        var beating = new Heartbeats(_attempts, transport, time, logger).RunAsync(heartbeatsEnd.Token);
        var fetching = transport.FetchAsync(_attempts, stopping);

        await using var closing = stopping.Register(_attempts.Close);
        await fetching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _attempts.Close();
        await Task.WhenAny(running, Task.Delay(options.DrainTimeout, time, drainOver));
        if (options.AbortTimeout > TimeSpan.Zero)
        {
            _attempts.AbortAll();
            await Task.WhenAny(running, Task.Delay(options.AbortTimeout, time, CancellationToken.None));
        }

        _attempts.ReleaseAll();
        _attempts.Complete();
        giveUp.CancelAfter(options.ReportTimeout);
        await reporting;
        await heartbeatsEnd.CancelAsync();
        await beating;
        await transport.CloseAsync(CancellationToken.None);
        await fetching;
    }
}
