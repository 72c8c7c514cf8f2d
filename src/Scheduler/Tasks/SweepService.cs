using TaskQueue.Engine;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Tasks;

/// <summary>
/// Handles one kind of overdue task: selects ids in batches and raises events on the state machine, which decides. Any number of
/// processes may run it concurrently; a second process finds the task changed and is refused. A failing task is skipped for a
/// while, and set aside when it fails repeatedly, so that it does not hold up the others.
/// </summary>
internal abstract class SweepService(
    Sweep sweep, ITaskStore store, TaskService taskService, TaskQuarantine quarantine, PollingServices services) : PollingService(services)
{
    private const int MaxBatch = 500;

    /// <summary>Maximum tasks set aside per round, so that the others do not wait.</summary>
    private const int MaxSetAside = 50;

    /// <summary>
    /// Poll interval when nothing is expected: finds leases and due times set by other processes. No lease is shorter, so each is seen
    /// before it expires.
    /// </summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(LeaseLimits.MinMs);

    private static readonly TimeSpan LookAgainBehindFailures = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan ShortPause = TimeSpan.FromMilliseconds(5);

    private readonly RepeatedFailures<Guid> _failures = new(services.Time);
    private readonly Dictionary<Guid, Exception> _hopeless = []; // to be set aside
    private readonly Signal _wake = new(); // not disposed: a commit may still set it
    private long _next = DateTime.MaxValue.Ticks; // ticks of the earliest expected due time

    /// <summary>Announces a due time; the sweep does not sleep past it.</summary>
    public void Expect(DateTime due)
    {
        if (due.Ticks >= Interlocked.Read(ref _next))
            return;
        Interlocked.Exchange(ref _next, due.Ticks);
        _wake.Set();
    }

    protected override TimeSpan AfterFault => TimeSpan.FromSeconds(1);

    /// <summary>Whether the sweep must wait although tasks are overdue.</summary>
    protected virtual bool MustWait => false;

    /// <summary>Pause between two rounds while tasks are overdue.</summary>
    protected virtual TimeSpan Pause => ShortPause;

    /// <summary>Called before each round.</summary>
    protected virtual Task PrepareAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Creates the state machine event for a selected task.</summary>
    protected abstract TaskCommand Command(Guid id, DateTime at);

    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        Interlocked.Exchange(ref _next, long.MaxValue);
        await PrepareAsync(cancellationToken);
        var wait = await TimeToNextAsync();
        Beat();
        while (wait == TimeSpan.Zero && !cancellationToken.IsCancellationRequested && await RunOnceAsync(cancellationToken) > 0)
        {
            wait = await TimeToNextAsync();
            Beat();
        }

        Dependencies.Database.ReportSuccess();
        // Tasks that the machine refuses are found again for a moment, and a full window empties soon. Failures are not retried at once.
        return wait > TimeSpan.Zero ? wait : _failures.Excluded > 0 ? LookAgainBehindFailures : Pause;
    }

    protected override Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken) => _wake.WaitAsync(wait, cancellationToken);

    /// <summary>Processes one batch.</summary>
    /// <returns>Number of tasks that changed or failed.</returns>
    private async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var now = Micros.Now(Time);
        if (MustWait) // looked at after the clock, which may just have been set
            return 0;
        // Select that many more as are excluded: they are the oldest and must not hide the others.
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
                done++; // excluded from now on
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

    /// <returns>Why it could not be set aside; it is excluded anyway, with increasing backoff.</returns>
    private async Task<Exception?> SetAsideAsync(Guid id, Exception reason, CancellationToken cancellationToken)
    {
        var (isParked, fault) = await quarantine.SetAsideAsync(sweep, id, reason, cancellationToken);
        if (isParked)
            _failures.Succeeded(id);
        return fault;
    }

    private async Task<TimeSpan> TimeToNextAsync()
    {
        var now = Time.GetUtcNow().UtcDateTime;
        var known = await store.NextAsync(sweep, now, LookAgain) ?? DateTime.MaxValue;
        if (known <= now)
            return TimeSpan.Zero;
        var wait = new DateTime(Math.Min(Interlocked.Read(ref _next), known.Ticks), DateTimeKind.Utc) - now;
        // A timer may fire a millisecond early.
        return wait >= LookAgain ? LookAgain : wait <= TimeSpan.Zero ? ShortPause : wait + TimeSpan.FromMilliseconds(1);
    }

    /// <summary>Tasks of a round failed for a cause that is not known to be their own.</summary>
    private sealed class SweepException(Exception inner) : Exception(inner.Message, inner);
}
