using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Tasks;

/// <summary>
/// One kind of overdue task: selects ids in batches and tells the machine, which decides. Any number of processes may do
/// it at once; the second to come finds the task changed and is refused.
/// </summary>
internal abstract partial class SweepService(Sweep sweep, ITaskStore store, TaskVerbs verbs, TimeProvider time, ILogger logger) : BackgroundService
{
    private const int MaxBatch = 500;

    /// <summary>How often to look where nothing is known to come: for leases and times that other processes set.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan AfterFault = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _wake = new(0);
    private long _next = long.MaxValue; // ticks of the earliest time that somebody told us of

    public override void Dispose()
    {
        _wake.Dispose();
        base.Dispose();
    }

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
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = AfterFault;
            try
            {
                while (await RunOnceAsync() == MaxBatch)
                    stoppingToken.ThrowIfCancellationRequested();
                wait = await TimeToNextAsync();
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
        Interlocked.Exchange(ref _next, long.MaxValue);
        if (MustWait)
            return 0;
        var now = Micros.Now(time);
        var ids = await store.SelectAsync(sweep, now, MaxBatch);
        var commands = await verbs.ApplyAsync([.. ids.Select(id => Command(id, now))]);
        return commands.Count(c => c.Verdict == Verdict.Applied);
    }

    private async Task<TimeSpan> TimeToNextAsync()
    {
        if (await store.NextAsync(sweep) is { } known)
            Expect(known);
        var wait = new DateTime(Math.Min(Interlocked.Read(ref _next), DateTime.MaxValue.Ticks), DateTimeKind.Utc) - time.GetUtcNow().UtcDateTime;
        // A timer may fire early; a task that the machine refused stays in sight and must not spin.
        wait = wait < TimeSpan.FromMilliseconds(5) ? TimeSpan.FromMilliseconds(5) : wait + TimeSpan.FromMilliseconds(1);
        return wait < LookAgain ? wait : LookAgain;
    }

    [LoggerMessage(LogLevel.Warning, "The {Sweep} sweep failed; trying again")]
    private partial void LogSweepFailed(Exception fault, Sweep sweep);
}
