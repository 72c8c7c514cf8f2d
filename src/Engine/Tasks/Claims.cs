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
            var tasks = await store.ClaimAsync(request, Micros.Now(time));
            if (tasks.Count > 0)
                signals.Events.Set();
            if (tasks.Count > 0 || waiter is null || time.GetUtcNow() >= deadline)
                return tasks;
            await waiter.WaitAsync(await TimeToLookAsync(request.Targets, deadline), stop);
        }
    }

    private async Task<TimeSpan> TimeToLookAsync(IReadOnlyList<QueueLevel> targets, DateTimeOffset deadline)
    {
        var now = time.GetUtcNow();
        var until = now + LookAgain < deadline ? now + LookAgain : deadline;
        if (await store.NextDueAsync(targets, Micros.Cut(now.UtcDateTime)) is { } due && due < until.UtcDateTime)
            until = new DateTimeOffset(due, TimeSpan.Zero);
        // Timers may fire a millisecond early.
        return until > now ? until - now + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
    }
}
