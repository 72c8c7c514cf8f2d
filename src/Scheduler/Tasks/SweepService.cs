using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Tasks;

/// <summary>
/// One kind of overdue task: selects ids in batches and tells the machine, which decides. Any number of processes may do
/// it at once; the second to come finds the task changed and is refused.
/// </summary>
internal abstract partial class SweepService(Sweep sweep, ITaskStore store, TaskVerbs verbs, Pulses pulses, TimeProvider time, ILogger logger) : BackgroundService
{
    private const int MaxBatch = 500;

    /// <summary>
    /// How often to look where nothing is known to come: for leases and times that other processes set. A lease is no
    /// shorter, so each is seen before it lapses.
    /// </summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(TaskVerbs.MinLeaseMs);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan AfterFault = TimeSpan.FromSeconds(1);

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

    /// <summary>The machine's event for a task that was found.</summary>
    protected abstract TaskCommand Command(Guid id, DateTime at);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of(GetType());
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = AfterFault;
            try
            {
                Interlocked.Exchange(ref _next, long.MaxValue);
                wait = await TimeToNextAsync();
                pulse.Beat();
                while (wait == TimeSpan.Zero && !MustWait && await RunOnceAsync() > 0)
                {
                    wait = await TimeToNextAsync();
                    pulse.Beat();
                }

                // What the machine refuses stays in sight for a moment; a full window empties soon.
                wait = wait == TimeSpan.Zero ? Pause : wait;
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                LogSweepFailed(fault, sweep);
            }

            await ((Task)_wake.WaitAsync(wait, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One batch.</summary>
    /// <returns>How many tasks the machine changed.</returns>
    private async Task<int> RunOnceAsync()
    {
        var now = Micros.Now(time);
        var ids = await store.SelectAsync(sweep, now, MaxBatch);
        var commands = await verbs.ApplyAsync([.. ids.Select(id => Command(id, now))]);
        return commands.Count(c => c.Verdict == Verdict.Applied);
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
}
