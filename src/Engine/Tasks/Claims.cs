using System.Diagnostics;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Tasks;

/// <summary>Hands due tasks to pull workers, at once or as soon as there are some.</summary>
public sealed class Claims(ITaskStore store, QueueCatalog queues, Doorbell doorbell, CommitSignals signals, TaskMetrics metrics, TimeProvider time)
{
    private readonly GatedClaims _gated = new(store);

    /// <summary>A waiting worker looks again after this long, for rings that a broker's outage swallowed.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    /// <summary>The same where limits hold tasks back: a token that comes back rings nobody.</summary>
    private static readonly TimeSpan LookAgainAtGate = TimeSpan.FromMilliseconds(250);

    /// <summary>Claims up to the maximum; where nothing is due, waits for work and claims then.</summary>
    /// <param name="request">What the worker asks for.</param>
    /// <param name="wait">How long to wait where nothing is due; zero returns at once.</param>
    /// <param name="stop">Ends the wait: the worker has left.</param>
    /// <param name="pulse">Of a worker in this process: it rests while there is no work, and beats with every look for some.</param>
    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, TimeSpan wait, CancellationToken stop, Pulse? pulse = null)
    {
        var deadline = time.GetUtcNow() + wait;
        while (true)
        {
            using var waiter = wait > TimeSpan.Zero ? doorbell.Register(request.Targets) : null;
            stop.ThrowIfCancellationRequested();
            var known = await queues.AllAsync();
            var now = Micros.Now(time);
            var open = request with { Targets = [.. request.Targets.Distinct().Where(t => known.GetValueOrDefault(t.Queue) is not { Settings.Paused: true })] };
            var rules = RulesOf(open.Targets, known);
            var begun = Stopwatch.GetTimestamp();
            IReadOnlyList<TaskState> tasks = open.Targets.Count == 0 ? []
                : rules.Gates.Count == 0 && !open.IsStrict ? await store.ClaimAsync(open, rules, now)
                : await _gated.ClaimAsync(open, rules, now);
            metrics.Claimed(tasks, Stopwatch.GetElapsedTime(begun));
            if (tasks.Count > 0)
                signals.Appended();
            if (tasks.Count > 0 || waiter is null || time.GetUtcNow() >= deadline)
                return tasks;
            var look = await TimeToLookAsync(open.Targets, now, deadline);
            pulse?.Rest();
            await waiter.WaitAsync(rules.Gates.Count > 0 && look > LookAgainAtGate ? LookAgainAtGate : look, stop);
            pulse?.Beat();
        }
    }

    private static ClaimRules RulesOf(IReadOnlyList<QueueLevel> targets, IReadOnlyDictionary<string, QueueRecord> known)
    {
        List<QueueGate>? gates = null;
        List<string>? silent = null;
        foreach (var target in targets)
        {
            if (known.GetValueOrDefault(target.Queue) is not { } queue)
                continue;
            var settings = queue.Settings;
            if (settings.IsGated && (gates ??= []).TrueForAll(g => g.Queue != queue.Name))
                gates.Add(new QueueGate(queue.Name, settings.MaxRunning, settings.Rate));
            if (settings.Events != EventPolicy.All)
                (silent ??= []).Add(queue.Name);
        }

        return gates is null && silent is null ? ClaimRules.None : new ClaimRules(gates ?? [], silent ?? []);
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
