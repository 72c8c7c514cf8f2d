using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>
/// The worker loop, shared by all transports: fetches tasks, runs them, renews their leases, reports their outcomes, and releases
/// those it cannot finish.
/// </summary>
internal sealed class WorkerRuntime(
    WorkerRuntimeOptions options, IWorkerTransport transport, IAttemptHandler handler, TimeProvider time, ILogger logger)
{
    private readonly InFlightAttempts _attempts = new(options, transport.ReturnsUnbegun) { Outages = new OutageLog(time, logger) };

    /// <summary>Number of tasks that run, or have ended and are not yet reported.</summary>
    public int Running => _attempts.Running;

    /// <summary>Whether the server asked the worker to finish its tasks and fetch no more.</summary>
    public bool IsDraining => _attempts.DrainRequested.IsCancellationRequested;

    /// <summary>Runs until stopped, or asked to drain, and all outcomes are reported.</summary>
    /// <param name="stopping">Stops accepting tasks; running tasks continue.</param>
    /// <param name="drainOver">Ends the drain: tasks that still run are released.</param>
    /// <exception cref="Exception">The transport failed; all accepted tasks have been finished or released.</exception>
    public async Task RunAsync(CancellationToken stopping, CancellationToken drainOver = default)
    {
        using var giveUp = new CancellationTokenSource();
        using var heartbeatsEnd = new CancellationTokenSource();
        var running = new AttemptRunner(_attempts, options, handler, time, logger).RunAsync();
        var reporting = new Reporter(_attempts, transport, options.LongestBackoff, time, logger).RunAsync(giveUp.Token);
        var beating = new Heartbeats(_attempts, transport, time).RunAsync(heartbeatsEnd.Token);
        var fetching = transport.FetchAsync(_attempts, stopping);

        await using var closing = stopping.Register(_attempts.Close);
        await fetching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _attempts.Close();
        if (IsDraining) // its tasks may take their time: only a stop of the host limits the drain
            await Task.WhenAny(running, Task.Delay(Timeout.InfiniteTimeSpan, time, stopping));
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
        await transport.CloseAsync();
        await fetching;
    }
}
