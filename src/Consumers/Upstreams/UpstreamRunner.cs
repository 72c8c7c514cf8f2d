using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Keeps one upstream busy: claims as many tasks as it may still be asked, and renews the leases of those under way.</summary>
internal sealed partial class UpstreamRunner(
    Upstream upstream, UpstreamQueues queues, UpstreamCalls calls, OutcomeReporter reporter, TaskClaimer claims, TaskService taskService, LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time, ILogger<UpstreamRunner> logger) : IDisposable
{
    private const int LeaseMs = 30_000;
    private static readonly TimeSpan AfterFault = TimeSpan.FromMilliseconds(500);

    /// <summary>A claim waits no longer, so that queues that were registered meanwhile are served.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    private readonly string _worker = $"upstream@{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid():N}"[..Math.Min(100, Environment.MachineName.Length + 40)];
    private readonly ConcurrentDictionary<UpstreamAttempt, byte> _running = new();
    private readonly SemaphoreSlim _slots = new(upstream.Options.MaxConcurrency);
    private readonly LoopHeartbeat _heartbeat = heartbeats.Of(typeof(UpstreamService));
    private int _turn;

    /// <summary>Tasks that were claimed and are not reported yet.</summary>
    public int Running => _running.Count;

    public void Dispose() => _slots.Dispose();

    /// <summary>Claims until it is to stop, then waits for what is under way.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ClaimAsync(cancellationToken);
                _heartbeat.Succeeded();
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
#pragma warning disable CA1031 // such as a database that is away: the next round tries again
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                {
                    _heartbeat.Failed(fault);
                    LogClaimFailed(fault, upstream.Options.Endpoint);
                }

                await Task.Delay(AfterFault, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        for (var i = 0; i < upstream.Options.MaxConcurrency; i++)
            await _slots.WaitAsync(CancellationToken.None);
    }

    /// <summary>Renews the leases of all attempts; those that are no longer the running ones are broken off.</summary>
    public async Task RenewAsync()
    {
        var attempts = _running.Keys.ToList();
        try
        {
            var renewals = await taskService.ApplyAsync(attempts.ConvertAll(a => taskService.Renew(a.Task.CorrelationId, a.Task.Attempt, _worker)));
            foreach (var (attempt, renewal) in attempts.Zip(renewals).Where(r => r.Second.CommandResult != CommandResult.Applied))
                attempt.Lose();
        }
#pragma warning disable CA1031 // the lease outlasts two heartbeats that fail
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!dependencies.TryHandle(fault))
                LogRenewFailed(fault, upstream.Options.Endpoint);
        }
    }

    /// <summary>Breaks off what is under way, for others to run.</summary>
    public void GiveBack()
    {
        foreach (var attempt in _running.Keys)
            attempt.Abort();
    }

    private async Task ClaimAsync(CancellationToken cancellationToken)
    {
        _heartbeat.Rest();
        await upstream.ReadyAsync(cancellationToken);
        await _slots.WaitAsync(cancellationToken);
        _heartbeat.Beat();
        var free = 1;
        while (_slots.Wait(0, CancellationToken.None))
            free++;
        IReadOnlyList<TaskState> tasks = [];
        try
        {
            tasks = await claims.ClaimAsync(new ClaimRequest(await queues.TargetsAsync(upstream.Options, _turn++), free, _worker, LeaseMs), LookAgain, cancellationToken, _heartbeat);
        }
        finally
        {
            if (free > tasks.Count)
                _slots.Release(free - tasks.Count);
        }

        foreach (var task in tasks)
        {
            var attempt = new UpstreamAttempt(task);
            _running[attempt] = 0;
            _ = Task.Run(() => RunAsync(attempt, cancellationToken), CancellationToken.None);
        }
    }

    private async Task RunAsync(UpstreamAttempt attempt, CancellationToken cancellationToken)
    {
        var outcome = await TraceAsync(attempt, cancellationToken);
        if (outcome is not null)
            await reporter.ReportAsync(outcome);
        _running.TryRemove(attempt, out _);
        attempt.Dispose();
        _slots.Release();
    }

    private async Task<AttemptCommand?> TraceAsync(UpstreamAttempt attempt, CancellationToken cancellationToken)
    {
        var task = attempt.Task;
        using var activity = TaskTrace.StartProcess(task.Queue, task.CorrelationId, task.Attempt, task.Name, task.Headers);
        using var scope = logger.BeginAttempt(task.CorrelationId, task.Attempt);
        var outcome = await OutcomeAsync(attempt, cancellationToken);
        if (outcome is FailTask failed)
            activity?.SetStatus(ActivityStatusCode.Error, failed.Error);
        return outcome;
    }

    /// <returns>What to report; null where the attempt was lost.</returns>
    private async Task<AttemptCommand?> OutcomeAsync(UpstreamAttempt attempt, CancellationToken cancellationToken)
    {
        var (id, number) = (attempt.Task.CorrelationId, attempt.Task.Attempt);
        try
        {
            return taskService.Complete(id, number, _worker, await calls.RunAsync(upstream, attempt.Task, cancellationToken, attempt.Aborted));
        }
#pragma warning disable CA1031 // a broken off request may end with any fault
        catch (Exception) when (attempt.IsLost)
        {
            LogLost(id, number);
            return null;
        }
        catch (Exception fault) when (attempt.Aborted.IsCancellationRequested || (fault is OperationCanceledException && cancellationToken.IsCancellationRequested))
        {
            return taskService.Snooze(id, number, _worker, TimeSpan.Zero);
        }
        catch (Exception fault) // of ours: the slot must come free and the task must end
#pragma warning restore CA1031
        {
            LogFault(fault, id);
            return taskService.Fail(id, number, _worker, $"{fault.GetType().Name}: {fault.Message}", retryable: true);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Claiming tasks for the upstream of {Endpoint} failed; trying again")]
    private partial void LogClaimFailed(Exception fault, string endpoint);

    [LoggerMessage(LogLevel.Warning, "The leases of tasks at the upstream of {Endpoint} were not renewed; trying again")]
    private partial void LogRenewFailed(Exception fault, string endpoint);

    [LoggerMessage(LogLevel.Information, "Task {TaskId} attempt {Attempt} is no longer to be run: its request was broken off")]
    private partial void LogLost(Guid taskId, int attempt);

    [LoggerMessage(LogLevel.Error, "Task {TaskId} could not be forwarded")]
    private partial void LogFault(Exception fault, Guid taskId);
}

/// <summary>A claimed task on its way to the upstream.</summary>
internal sealed class UpstreamAttempt(TaskState task) : IDisposable
{
    private readonly CancellationTokenSource _abort = new();
    private readonly Lock _gate = new();
    private bool _ended;

    public TaskState Task { get; } = task;

    /// <summary>Whether the attempt is not the running one any more: nothing of it counts.</summary>
    public bool IsLost { get; private set; }

    public CancellationToken Aborted => _abort.Token;

    /// <summary>The task was cancelled, or the lease lost.</summary>
    public void Lose()
    {
        IsLost = true;
        Abort();
    }

    public void Abort()
    {
        lock (_gate)
        {
            if (!_ended)
                _ = _abort.CancelAsync();
        }
    }

    public void Dispose()
    {
        lock (_gate)
            _ended = true;
        _abort.Dispose();
    }
}
