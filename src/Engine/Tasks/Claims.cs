using TaskQueue.Engine.Events;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Tasks;

/// <summary>Hands due tasks to pull workers, at once or as soon as there are some.</summary>
public sealed class Claims(ITaskStore store, Doorbell doorbell, CommitSignals signals, TimeProvider time)
{
    /// <summary>A waiting worker looks again after this long, for rings that a broker's outage swallowed.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    /// <summary>Claims up to the maximum; where nothing is due, waits for work and claims then.</summary>
    /// <param name="request">What the worker asks for.</param>
    /// <param name="wait">How long to wait where nothing is due; zero returns at once.</param>
    /// <param name="stop">Ends the wait: the worker has left.</param>
    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, TimeSpan wait, CancellationToken stop)
    {
        var deadline = time.GetUtcNow() + wait;
        while (true)
        {
            using var waiter = wait > TimeSpan.Zero ? doorbell.Register(request.Targets) : null;
            stop.ThrowIfCancellationRequested();
            var now = Micros.Now(time);
            var tasks = await store.ClaimAsync(request, now);
            if (tasks.Count > 0)
                signals.Events.Set();
            if (tasks.Count > 0 || waiter is null || time.GetUtcNow() >= deadline)
                return tasks;
            await waiter.WaitAsync(await TimeToLookAsync(request.Targets, now, deadline), stop);
        }
    }

    /// <param name="targets">Where from.</param>
    /// <param name="claimed">
    /// The time of the claim that found nothing. A later one would miss a task that fell due in between: timers fire
    /// some milliseconds early, so that is no rare thing.
    /// </param>
    /// <param name="deadline">The end of the wait.</param>
    private async Task<TimeSpan> TimeToLookAsync(IReadOnlyList<QueueLevel> targets, DateTime claimed, DateTimeOffset deadline)
    {
        var due = await store.NextDueAsync(targets, claimed);
        var now = time.GetUtcNow();
        var until = now + LookAgain < deadline ? now + LookAgain : deadline;
        if (due < until.UtcDateTime)
            until = new DateTimeOffset(due.Value, TimeSpan.Zero);
        // Timers may fire a millisecond early.
        return until > now ? until - now + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
    }
}
