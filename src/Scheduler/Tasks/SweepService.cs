using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Scheduler.Tasks;

/// <summary>
/// One kind of overdue task: selects ids in batches and tells the machine, which decides. Any number of processes may do
/// it at once; the second to come finds the task changed and is refused. A task that cannot be processed is left out for a moment, and
/// set aside when it fails again and again, so that it does not hold up the others.
/// </summary>
internal abstract partial class SweepService(
    Sweep sweep, ITaskStore store, TaskService taskService, TaskQuarantine quarantine, LoopHeartbeats heartbeats,
        DependencyHealth dependencies, TimeProvider time, ILogger logger) : BackgroundService
{
    private const int MaxBatch = 500;

    /// <summary>Tasks that are set aside in a round, at most: the others do not wait for the rest.</summary>
    private const int MaxSetAside = 50;

    /// <summary>
    /// How often to look where nothing is known to come: for leases and times that other processes set. A lease is no
    /// shorter, so each is seen before it expires.
    /// </summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(LeaseLimits.MinMs);

    private static readonly TimeSpan LookAgainBehindFailures = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan AfterFault = TimeSpan.FromSeconds(1);

    private readonly RepeatedFailures<Guid> _failures = new(time);
    private readonly Dictionary<Guid, Exception> _hopeless = []; // to be set aside
    private readonly SemaphoreSlim _wake = new(0); // not disposed: the round under way may still come to wait for it
    private long _next = DateTime.MaxValue.Ticks; // ticks of the earliest time that somebody told us of

    /// <summary>A task will be due at this time: do not sleep past it.</summary>
    public void Expect(DateTime due)
    {
        if (due.Ticks >= Interlocked.Read(ref _next))
            return;
        Interlocked.Exchange(ref _next, due.Ticks);
        _wake.Release();
    }

    /// <summary>Whether the sweep must wait although tasks are overdue.</summary>
    protected virtual bool MustWait => false;

    /// <summary>Before each round.</summary>
    protected virtual Task PrepareAsync() => Task.CompletedTask;

    /// <summary>The machine's event for a task that was found.</summary>
    protected abstract TaskCommand Command(Guid id, DateTime at);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = AfterFault;
            try
            {
                Interlocked.Exchange(ref _next, long.MaxValue);
                await PrepareAsync();
                wait = await TimeToNextAsync();
                heartbeat.Beat();
                while (wait == TimeSpan.Zero && !MustWait && !stoppingToken.IsCancellationRequested
                    && await RunOnceAsync(stoppingToken) > 0)
                {
                    wait = await TimeToNextAsync();
                    heartbeat.Beat();
                }

                // What the machine refuses stays in sight for a moment; a full window empties soon. What fails is not looked at all the
                // time.
                wait = wait > TimeSpan.Zero ? wait : _failures.Excluded > 0 ? LookAgainBehindFailures : Pause;
                dependencies.Database.ReportSuccess();
                heartbeat.Succeeded();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                {
                    heartbeat.Failed(fault);
                    LogSweepFailed(fault, sweep);
                }
            }

            await ((Task)_wake.WaitAsync(wait, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One batch.</summary>
    /// <returns>How many tasks the machine changed, or failed to.</returns>
    private async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var now = Micros.Now(time);
        // As many more as are left out: they are the oldest, and must not hide the others.
        var ids = (await store.SelectAsync(sweep, now, MaxBatch + _failures.Excluded)).Where(id => !_failures.IsExcluded(id))
            .Take(MaxBatch);
        TaskCommand[] commands = [.. ids.Select(id => Command(id, now))];
        var faults = await taskService.TryApplyAsync(commands);
        var done = 0;
        Exception? problem = null;
        for (var i = 0; i < commands.Length; i++)
        {
            if (faults[i] is not { } fault)
            {
                _failures.Succeeded(commands[i].CorrelationId);
                done += commands[i].CommandResult == CommandResult.Applied ? 1 : 0;
            }
            else if (!StorageFaults.IsOfRow(fault))
            {
                problem ??= fault;
            }
            else
            {
                done++; // it is out of the way now
                if (_failures.Failed(commands[i].CorrelationId))
                    _hopeless[commands[i].CorrelationId] = fault;
            }
        }

        foreach (var (id, reason) in _hopeless.Take(MaxSetAside).ToList())
        {
            _hopeless.Remove(id);
            var unlisted = await SetAsideAsync(id, reason, cancellationToken);
            problem ??= unlisted;
        }

        return problem is null ? done + _hopeless.Count : throw new SweepException(problem);
    }

    /// <returns>Why it cannot even be listed; it is left out all the same, for longer and longer.</returns>
    private async Task<Exception?> SetAsideAsync(Guid id, Exception reason, CancellationToken cancellationToken)
    {
        var (isParked, fault) = await quarantine.SetAsideAsync(sweep, id, reason, cancellationToken);
        if (isParked)
            _failures.Succeeded(id);
        return fault;
    }

    private async Task<TimeSpan> TimeToNextAsync()
    {
        var known = await store.NextAsync(sweep) ?? DateTime.MaxValue;
        var now = time.GetUtcNow().UtcDateTime;
        if (known <= now)
            return TimeSpan.Zero;
        var wait = new DateTime(Math.Min(Interlocked.Read(ref _next), known.Ticks), DateTimeKind.Utc) - now;
        // A timer may fire a millisecond early.
        return wait >= LookAgain ? LookAgain : wait <= TimeSpan.Zero ? Pause : wait + TimeSpan.FromMilliseconds(1);
    }

    [LoggerMessage(LogLevel.Warning, "The {Sweep} sweep failed; trying again")]
    private partial void LogSweepFailed(Exception fault, Sweep sweep);

    /// <summary>Some of a round failed, and it is not known to be their own fault.</summary>
    private sealed class SweepException(Exception inner) : Exception(inner.Message, inner);
}
