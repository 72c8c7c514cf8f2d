using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>
/// Reports the start of attempts at dispatched tasks that are not quick: from then on a lease protects them, and their delivery
/// can be acknowledged. Quick attempts are reported once, with start and outcome together.
/// </summary>
/// <param name="attempts">The tasks the worker holds.</param>
/// <param name="report">Reports starts; returns those to report again. An exception means all.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Receives failures.</param>
internal sealed partial class StartReporter(
    InFlightAttempts attempts, Func<IReadOnlyList<Attempt>, CancellationToken, Task<IReadOnlyList<Attempt>>> report,
    TimeProvider time, ILogger logger)
{
    /// <summary>Attempts running longer have their start reported before their outcome.</summary>
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(200);

    /// <summary>Also runs while the worker drains: reported starts survive a crash of the process.</summary>
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
            // Stopped: remaining starts are reported with their outcomes.
        }
    }

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        var slow = attempts.All.Where(a => a is { Outcome: null, IsAnnounced: false, BeganAt: { } began }
            && time.GetElapsedTime(began) > Quick / 2).ToList();
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
#pragma warning disable CA1031 // retried with the next tick
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!cancellationToken.IsCancellationRequested)
                LogNotReported(slow.Count, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Reporting the start of {Count} tasks failed, retrying: {Why}")]
    private partial void LogNotReported(int count, string why);
}
