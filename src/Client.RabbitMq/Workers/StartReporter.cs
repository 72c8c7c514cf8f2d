using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>
/// Reports that attempts at dispatched tasks began, of those that are not quick: their leases protect them from then on, and their
/// deliveries end. Quick ones are reported once, with their start and their outcome.
/// </summary>
/// <param name="attempts">What the worker holds.</param>
/// <param name="report">Reports starts; returns those to report again, and any exception means all.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Gets failures.</param>
internal sealed partial class StartReporter(
    InFlightAttempts attempts, Func<IReadOnlyList<Attempt>, CancellationToken, Task<IReadOnlyList<Attempt>>> report,
    TimeProvider time, ILogger logger)
{
    /// <summary>An attempt that takes longer has its start reported before its outcome.</summary>
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(200);

    /// <summary>Runs while the worker drains too: what it reports is kept, should the process die.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Quick / 2, time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
                await ReportAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The end; what has begun is reported with its outcome.
        }
    }

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        var slow = attempts.All.Where(a => !a.IsAnnounced && a.BeganAt is { } began && time.GetElapsedTime(began) > Quick / 2).ToList();
        if (slow.Count == 0)
            return;
        try
        {
            foreach (var attempt in slow.Except(await report(slow, cancellationToken)))
            {
                attempt.IsAnnounced = true;
                attempt.Keep();
            }

            attempts.Progress.Set();
        }
#pragma warning disable CA1031 // tried again with the next tick
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!cancellationToken.IsCancellationRequested)
                LogNotReported(slow.Count, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The start of {Count} tasks could not be reported and is tried again: {Why}")]
    private partial void LogNotReported(int count, string why);
}
