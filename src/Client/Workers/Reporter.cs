using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>Reports outcomes until accepted; each request carries all that became ready during the previous one.</summary>
internal sealed partial class Reporter(InFlightAttempts inFlight, IWorkerTransport transport, TimeSpan longestBackoff, TimeProvider time,
    ILogger logger)
{
    private const int MaxEntries = 200;
    private readonly Backoff _backoff = new(longestBackoff, time);

    /// <summary>Completes when no further attempt will end and all outcomes are reported.</summary>
    /// <param name="giveUp">Stops earlier; the leases of unreported attempts then expire.</param>
    public async Task RunAsync(CancellationToken giveUp)
    {
        while (await inFlight.Ended.WaitToReadAsync(CancellationToken.None))
        {
            IReadOnlyList<Attempt> attempts = Next();
            while (attempts.Count > 0)
            {
                var left = await TryReportAsync(attempts, giveUp);
                foreach (var attempt in left.Count == 0 ? attempts : attempts.Except(left))
                    inFlight.Reported(attempt);
                attempts = left;
            }
        }
    }

    private List<Attempt> Next()
    {
        var attempts = new List<Attempt>();
        while (attempts.Count < MaxEntries && inFlight.Ended.TryRead(out var attempt))
            attempts.Add(attempt);
        return attempts;
    }

    /// <returns>Attempts to report again.</returns>
    private async Task<IReadOnlyList<Attempt>> TryReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken giveUp)
    {
        TimeSpan? retryAfter = null;
        try
        {
            attempts = await transport.ReportAsync(attempts, giveUp);
            if (attempts.Count == 0)
            {
                inFlight.Outages?.Succeeded();
                _backoff.Reset();
                return [];
            }
        }
#pragma warning disable CA1031 // no failure may lose an outcome
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!giveUp.IsCancellationRequested)
                inFlight.Outages?.Failed($"reporting {attempts.Count} tasks failed: {fault.Message}");
            retryAfter = (fault as TaskQueueException)?.RetryAfter;
        }

        if (giveUp.IsCancellationRequested)
        {
            LogGivenUp(attempts.Count);
            return [];
        }

        await _backoff.WaitAsync(retryAfter, giveUp).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return attempts;
    }

    [LoggerMessage(LogLevel.Error,
        "The outcomes of {Count} tasks were not reported before the worker stopped; the tasks run again when their leases expire")]
    private partial void LogGivenUp(int count);
}
