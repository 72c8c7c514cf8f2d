using System.Globalization;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Tasks;

/// <summary>Requests that wait for a task to end. Shutdown ends the waits.</summary>
internal sealed class TaskWaits(CompletionWaiters waiters, TimeProvider time, Drain drain)
{
    private const double MaxSeconds = 30;

    /// <summary>Reads the requested wait.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static TimeSpan Read(IQueryCollection query)
    {
        if (!query.TryGetValue("wait_seconds", out var text))
            return TimeSpan.Zero;
        // "-Infinity" is a number too, whatever the styles.
        return Of(double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) ? seconds : -1);
    }

    /// <summary>A requested wait.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static TimeSpan Of(double seconds) =>
        seconds is >= 0 and <= MaxSeconds ? TimeSpan.FromSeconds(seconds)
            : throw new ApiException(400, "invalid_request", $"wait_seconds must be 0 to {MaxSeconds}");

    /// <summary>Registers a waiter. Read the task after registering, so that no completion is missed.</summary>
    public CompletionWaiter Register(Guid taskId) => waiters.Register(taskId);

    /// <summary>Waits until the task has ended, the wait times out, or the process stops.</summary>
    public async Task WaitAsync(CompletionWaiter end, TimeSpan wait, CancellationToken cancellationToken)
    {
        using var leave = drain.EndWait(cancellationToken);
        try
        {
            await end.Ended.WaitAsync(drain.Shorten(wait), time, leave.Token);
        }
        catch (Exception fault) when (fault is TimeoutException
            || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // The response shows the task's current state.
        }
    }
}
