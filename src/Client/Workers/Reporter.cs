using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>Reports outcomes, as many in one request as are ready when the last one was answered, until they have arrived.</summary>
internal sealed partial class Reporter(InFlightAttempts inFlight, IWorkerTransport transport, TimeProvider time, ILogger logger)
{
    private const int MaxEntries = 200;
    private readonly Backoff _backoff = new(time);

    /// <summary>Ends when nothing more will end and all is reported.</summary>
    /// <param name="giveUp">Ends it before that; the leases of what was not reported expire.</param>
    public async Task RunAsync(CancellationToken giveUp)
    {
        while (await inFlight.Ended.WaitToReadAsync(CancellationToken.None))
        {
            var attempts = new List<Attempt>();
            while (attempts.Count < MaxEntries && inFlight.Ended.TryRead(out var attempt))
                attempts.Add(attempt);
            await DeliverAsync(attempts, giveUp);
            attempts.ForEach(inFlight.Remove);
        }
    }

    private async Task DeliverAsync(List<Attempt> attempts, CancellationToken giveUp)
    {
        while (true)
        {
            try
            {
                await transport.ReportAsync(attempts, giveUp);
                _backoff.Reset();
                return;
            }
#pragma warning disable CA1031 // whatever it is: an outcome must not get lost
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (giveUp.IsCancellationRequested)
                {
                    LogGivenUp(attempts.Count, fault.Message);
                    return;
                }

                LogFailed(attempts.Count, fault.Message);
                await _backoff.WaitAsync((fault as TaskQueueException)?.RetryAfter, giveUp).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "The report of {Count} tasks failed and is tried again: {Why}")]
    private partial void LogFailed(int count, string why);

    [LoggerMessage(LogLevel.Error, "The outcomes of {Count} tasks could not be reported before the worker stopped; they run again when their leases have expired: {Why}")]
    private partial void LogGivenUp(int count, string why);
}
