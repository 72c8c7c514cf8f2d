using System.Collections.Concurrent;
using System.Diagnostics;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Consumers.Actions;

/// <summary>
/// Runs built-in actions, so many at once. A quick attempt is reported once, with its start and its outcome; one that
/// takes longer reports its start, then heartbeats until its outcome. Once the process is told to stop it begins nothing more:
/// what was delivered goes back to the broker, and what runs may end while the bus still takes reports.
/// </summary>
internal sealed partial class ActionRunner(
    WorkEndpoints endpoints, WorkReporter reporter, InFlightLimiter inFlight, Drain drain, IOptions<ActionOptions> options, LoopHeartbeats heartbeats, ConsumerLiveness liveness, TimeProvider time, ILogger<ActionRunner> logger)
    : BackgroundService
{
    private const int Prefetch = 32;

    /// <summary>
    /// Until the broker knows that this process takes no more. What goes back earlier would come again, and after some times the
    /// broker would take it for poison.
    /// </summary>
    private static readonly TimeSpan Closing = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromMilliseconds(TaskService.DefaultLeaseMs / 3d);

    private readonly SemaphoreSlim _slots = new(options.Value.Concurrency);
    private readonly ConcurrentDictionary<Guid, AttemptHeartbeat> _slow = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private HostReceiveEndpointHandle? _endpoint;
    private CancellationTokenRegistration _begun;
    private Task _closing = Task.CompletedTask;
    private int _inWork;

    /// <summary>Completes when nothing more is delivered: what was not begun may go back.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Tasks that were begun and are not reported yet.</summary>
    public int Running => Volatile.Read(ref _inWork);

    public override void Dispose()
    {
        _begun.Dispose();
        _slots.Dispose();
        base.Dispose();
    }

    /// <summary>Runs a task; returns when its outcome, or at least its start, is with the broker.</summary>
    /// <param name="task">The task.</param>
    /// <param name="lost">The broker has taken the delivery back and gives the task to somebody else: do not begin.</param>
    /// <returns>False where the process stops before the task began.</returns>
    public async Task<bool> TryTakeAsync(DispatchedTask task, CancellationToken lost)
    {
        if (!await TryEnterAsync(lost))
            return false;
        inFlight.Taken();
        Interlocked.Increment(ref _inWork);
        var run = RunAsync(task);
        if (await Task.WhenAny(run, Task.Delay(Quick, time, CancellationToken.None)) == run)
        {
            await FinishAsync(task, await run);
            return true;
        }

        _slow[task.Id] = new AttemptHeartbeat(task.Id, task.Attempt);
        var finish = FinishLaterAsync(task, run);
        await reporter.ReportAsync(new AttemptStarted(task.Id, task.Attempt));
        _ = finish;
        return true;
    }

    /// <summary>Sends tasks to whoever consumes; they keep their attempt.</summary>
    public Task PassOnAsync(IReadOnlyList<DispatchedTask> tasks) => reporter.PassOnAsync(BuiltInQueues.Tasks, new DispatchTasks(tasks));

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        _endpoint = endpoints.Connect(BuiltInQueues.Tasks, Prefetch, (context, e) => e.ConfigureConsumer<ActionConsumer>(context));
        _begun = drain.Begun.UnsafeRegister(_ => _closing = Task.Run(CloseAsync), null);
        await base.StartAsync(cancellationToken);
    }

    /// <summary>Waits for what is under way, there and back, while the bus still runs and takes reports.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        while ((Volatile.Read(ref _inWork) > 0 || !_closing.IsCompleted) && reporter.IsConnected && !cancellationToken.IsCancellationRequested)
            await Task.Delay(TimeSpan.FromMilliseconds(10), time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(HeartbeatEvery, time);
        var heartbeat = heartbeats.Of(GetType(), needsBroker: true);
        try
        {
            while (true)
            {
                heartbeat.Rest();
                if (!await timer.WaitForNextTickAsync(stoppingToken))
                    return;
                heartbeat.Beat();
                if (_slots.CurrentCount == 0 && !_slow.IsEmpty)
                    liveness.IsBusy(BuiltInQueues.Tasks); // what is delivered waits for them
                await Task.WhenAll(_slow.Values.Select(reporter.ReportAsync));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end; a host that never started would take it for a failure.
        }
    }

    private async Task CloseAsync()
    {
        // It ends with its deliveries, which wait for this.
        var stopping = _endpoint?.StopAsync(CancellationToken.None) ?? Task.CompletedTask;
        await Task.WhenAny(stopping, Task.Delay(Closing, time, CancellationToken.None));
        _closed.TrySetResult();
        await stopping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // without its broker it may fail: the same thing
    }

    /// <returns>False where the process stops.</returns>
    private async Task<bool> TryEnterAsync(CancellationToken lost)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(lost, drain.Begun);
        try
        {
            await _slots.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!lost.IsCancellationRequested)
        {
            return false;
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
        try
        {
            if (options.Value.SimulatedWorkMs > 0)
                await Task.Delay(TimeSpan.FromMilliseconds(options.Value.SimulatedWorkMs), time, drain.Over);
            return new AttemptOutcome(task.Id, task.Attempt, Result: BuiltInActions.Run(task.Payload));
        }
        catch (OperationCanceledException) when (drain.Over.IsCancellationRequested)
        {
            return new AttemptOutcome(task.Id, task.Attempt, SnoozeSeconds: 0); // for another process, at once
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
