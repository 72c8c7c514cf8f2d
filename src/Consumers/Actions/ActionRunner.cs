using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Consumers.Actions;

/// <summary>
/// Runs built-in actions, so many at once. A quick attempt is reported once, with its start and its outcome; one that
/// takes longer reports its start, then heartbeats until its outcome.
/// </summary>
internal sealed partial class ActionRunner(
    WorkReporter reporter, DispatchWindow window, IOptions<ActionOptions> options, Pulses pulses, Hearing hearing, TimeProvider time, ILogger<ActionRunner> logger) : BackgroundService
{
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromMilliseconds(TaskVerbs.DefaultLeaseMs / 3d);

    private readonly SemaphoreSlim _slots = new(options.Value.Concurrency);
    private readonly ConcurrentDictionary<Guid, AttemptHeartbeat> _slow = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _inWork;
    private bool _stopping;

    /// <summary>Tasks that were begun and are not reported yet.</summary>
    public int Running => Volatile.Read(ref _inWork);

    public override void Dispose()
    {
        _slots.Dispose();
        base.Dispose();
    }

    /// <summary>Runs a task; returns when its outcome, or at least its start, is with the broker.</summary>
    /// <param name="task">The task.</param>
    /// <param name="lost">The broker has taken the delivery back and gives the task to somebody else: do not begin.</param>
    public async Task TakeAsync(DispatchedTask task, CancellationToken lost)
    {
        await _slots.WaitAsync(lost);
        if (Volatile.Read(ref _stopping))
        {
            _slots.Release();
            await _stopped.Task.WaitAsync(lost);
            throw new OperationCanceledException("this process stops");
        }

        window.Taken();
        Interlocked.Increment(ref _inWork);
        var run = RunAsync(task);
        if (await Task.WhenAny(run, Task.Delay(Quick, time, CancellationToken.None)) == run)
        {
            await FinishAsync(task, await run);
            return;
        }

        _slow[task.Id] = new AttemptHeartbeat(task.Id, task.Attempt);
        var finish = FinishLaterAsync(task, run);
        await reporter.ReportAsync(new AttemptStarted(task.Id, task.Attempt));
        _ = finish;
    }

    /// <summary>Begins nothing more and waits for what is under way, while the bus still runs and takes reports.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _stopping, true);
        while (Volatile.Read(ref _inWork) > 0 && reporter.IsConnected && !cancellationToken.IsCancellationRequested)
            await Task.Delay(TimeSpan.FromMilliseconds(10), time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopped.TrySetResult();
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(HeartbeatEvery, time);
        var pulse = pulses.Of(GetType(), needsBroker: true);
        try
        {
            while (true)
            {
                pulse.Rest();
                if (!await timer.WaitForNextTickAsync(stoppingToken))
                    return;
                pulse.Beat();
                if (_slots.CurrentCount == 0 && !_slow.IsEmpty)
                    hearing.IsBusy(BuiltInQueues.Tasks); // what is delivered waits for them
                await Task.WhenAll(_slow.Values.Select(reporter.ReportAsync));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end; a host that never started would take it for a failure.
        }
    }

    private async Task<AttemptOutcome> RunAsync(DispatchedTask task)
    {
        using var activity = TaskTrace.StartProcess(task.Queue, task.Id, task.Attempt, task.Name, task.Headers);
        using var scope = logger.BeginAttempt(task.Id, task.Attempt);
        var outcome = await ActAsync(task);
        if (outcome.Error is { } error)
            activity?.SetStatus(ActivityStatusCode.Error, error);
        return outcome;
    }

    private async Task<AttemptOutcome> ActAsync(DispatchedTask task)
    {
        if (options.Value.SimulatedWorkMs > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(options.Value.SimulatedWorkMs), time);
        try
        {
            return new AttemptOutcome(task.Id, task.Attempt, Result: BuiltInActions.Run(task.Payload));
        }
        catch (ActionFailedException fault)
        {
            return new AttemptOutcome(task.Id, task.Attempt, Error: fault.Message, Retryable: false);
        }
#pragma warning disable CA1031 // a fault of ours is an outcome too: the slot must come free and the task must end
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogFault(fault);
            return new AttemptOutcome(task.Id, task.Attempt, Error: $"{fault.GetType().Name}: {fault.Message}");
        }
    }

    private async Task FinishLaterAsync(DispatchedTask task, Task<AttemptOutcome> run)
    {
        var outcome = await run;
        _slow.TryRemove(task.Id, out _);
        await FinishAsync(task, outcome);
    }

    private async Task FinishAsync(DispatchedTask task, AttemptOutcome outcome)
    {
        _slots.Release();
        try
        {
            // The start goes with the outcome even where it was reported: reports may overtake each other.
            await reporter.ReportAsync(new AttemptStarted(task.Id, task.Attempt), outcome);
        }
        finally
        {
            Interlocked.Decrement(ref _inWork);
        }
    }

    [LoggerMessage(LogLevel.Error, "A built-in action failed unexpectedly")]
    private partial void LogFault(Exception fault);
}
