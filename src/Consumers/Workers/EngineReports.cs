using Microsoft.Extensions.Logging;
using TaskQueue.Client;
using TaskQueue.Engine;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Consumers.Workers;

/// <summary>
/// Reports of in-process workers, applied directly to the engine. Database outages are not logged here; see
/// <see cref="DependencyHealth"/>.
/// </summary>
/// <param name="prefix">Prefix of the worker's name.</param>
/// <param name="loop">The class that runs the worker; names the heartbeat of its reports.</param>
/// <param name="taskService">The engine.</param>
/// <param name="workers">Lists the worker.</param>
/// <param name="dependencies">Receives outages.</param>
/// <param name="heartbeats">Heartbeats of this process's loops.</param>
/// <param name="logger">Receives other faults.</param>
internal sealed partial class EngineReports(
    string prefix, Type loop, TaskService taskService, WorkerRegistry workers, DependencyHealth dependencies, LoopHeartbeats heartbeats,
    ILogger<EngineReports> logger)
{
    /// <summary>What the workers of this process tell about themselves.</summary>
    public static readonly WorkerContact InProcess = new(WorkerContact.InProcess, Owner: null)
    {
        Host = Environment.MachineName, Version = typeof(EngineReports).Assembly.GetName().Version?.ToString(3),
    };

    private readonly LoopHeartbeat _heartbeat = Resting(heartbeats.Of(loop));

    /// <summary>Unique, because an attempt belongs to the worker that started it.</summary>
    public string Worker { get; } = Unique($"{prefix}@{Environment.MachineName}");

    /// <summary>Starts dispatched attempts. A refused attempt belongs to another worker or to none, and is lost.</summary>
    /// <returns>Attempts whose start must be retried.</returns>
    public async Task<IReadOnlyList<Attempt>> StartAsync(InFlightAttempts inFlight, IReadOnlyList<Attempt> attempts)
    {
        Note();
        var starts = await TryApplyAsync([.. attempts.Select(Start)]);
        if (starts is null)
            return attempts;
        foreach (var (attempt, start) in attempts.Zip(starts))
        {
            if (start.CommandResult is not (CommandResult.Applied or CommandResult.Duplicate))
                Lose(inFlight, attempt, start.CommandResult);
        }

        return [];
    }

    /// <summary>Renews leases; superseded attempts are lost. A lease survives two failed heartbeats.</summary>
    public async Task RenewAsync(InFlightAttempts inFlight, IReadOnlyList<Heartbeat> beats)
    {
        var renewals = await TryApplyAsync([.. beats.Select(Renew)]);
        foreach (var (beat, renewal) in beats.Zip(renewals ?? []).Where(r => r.Second.CommandResult != CommandResult.Applied))
            Lose(inFlight, beat.Attempt, renewal.CommandResult);
    }

    /// <summary>Applies outcomes independently of each other; the group commit combines them.</summary>
    /// <param name="attempts">The ended attempts.</param>
    /// <param name="needStart">Whether attempts start with their first report, because they were dispatched rather than claimed.</param>
    /// <returns>Attempts to report again after a database outage. On any other failure the lease is left to expire.</returns>
    public async Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, bool needStart)
    {
        _heartbeat.Beat();
        Note();
        try
        {
            var again = await Task.WhenAll(attempts.Select(a => IsToReportAgainAsync(a, needStart && !a.IsAnnounced)));
            return [.. attempts.Where((_, i) => again[i])];
        }
        finally
        {
            _heartbeat.Rest();
        }
    }

    /// <summary>Aborts an attempt whose task has ended without it.</summary>
    public void Abandon(InFlightAttempts inFlight, Attempt attempt) => Lose(inFlight, attempt, CommandResult.Finished);

    private void Note() => workers.Seen(new WorkerKey(null, null, Worker), InProcess);

    private static LoopHeartbeat Resting(LoopHeartbeat heartbeat)
    {
        heartbeat.Rest();
        return heartbeat;
    }

    private async Task<bool> IsToReportAgainAsync(Attempt attempt, bool needStart)
    {
        var (id, number) = (attempt.Item.Id, attempt.Item.Attempt);
        TaskCommand[] start = needStart ? [Start(attempt)] : []; // created first: a command is stamped with its creation time
        var outcome = ToCommand(attempt);
        try
        {
            await taskService.ApplyAsync<TaskCommand>([.. start, outcome]);
            if (outcome.CommandResult is not (CommandResult.Applied or CommandResult.Duplicate))
                LogRefused(id, number, outcome.CommandResult);
            return false;
        }
#pragma warning disable CA1031 // one failing outcome must not hold up the others
        catch (Exception fault)
#pragma warning restore CA1031
        {
            var again = StorageFaults.IsTransient(fault);
            if (!dependencies.TryHandle(fault))
                LogFailed(fault, id, number, again);
            return again;
        }
    }

    /// <returns>The commands with their results; null during a database outage.</returns>
    private async Task<IReadOnlyList<TaskCommand>?> TryApplyAsync(List<TaskCommand> commands)
    {
        try
        {
            return await taskService.ApplyAsync(commands);
        }
        catch (Exception fault) when (dependencies.TryHandle(fault))
        {
            return null;
        }
    }

    private static string Unique(string name) => $"{name[..Math.Min(name.Length, 60)]}:{Environment.ProcessId}:{Guid.NewGuid():N}";

    private RenewLease Renew(Heartbeat beat) =>
        taskService.Renew(beat.Attempt.Item.Id, beat.Attempt.Item.Attempt, Worker, progress: beat.Progress);

    private StartTask Start(Attempt attempt) => taskService.Start(attempt.Item.Id, attempt.Item.Attempt, Worker, leaseMs: null);

    private AttemptCommand ToCommand(Attempt attempt)
    {
        var (id, number) = (attempt.Item.Id, attempt.Item.Attempt);
        switch (attempt.Outcome)
        {
            case { Delay: { } delay }:
                return taskService.Snooze(id, number, Worker, delay);
            case { Error: { } error } outcome:
                var failure = taskService.Fail(id, number, Worker, error, outcome.Retryable);
                (failure.ErrorType, failure.Stack) = (FailureRules.BoundType(outcome.ErrorType), FailureRules.BoundStack(outcome.Stack));
                failure.RetryAfter = outcome.RetryAfter;
                return failure;
            default:
                return taskService.Complete(id, number, Worker, attempt.Outcome?.Result);
        }
    }

    private void Lose(InFlightAttempts inFlight, Attempt attempt, CommandResult result)
    {
        if (inFlight.Lose(attempt))
            LogLost(attempt.Item.Id, attempt.Item.Attempt, result);
    }

    [LoggerMessage(LogLevel.Information,
        "Task {TaskId} attempt {Attempt} lost its lease ({CommandResult}): its work was aborted")]
    private partial void LogLost(Guid taskId, int attempt, CommandResult commandResult);

    [LoggerMessage(LogLevel.Information, "The outcome of task {TaskId} attempt {Attempt} was refused: {CommandResult}")]
    private partial void LogRefused(Guid taskId, int attempt, CommandResult commandResult);

    [LoggerMessage(LogLevel.Warning, "The outcome of task {TaskId} attempt {Attempt} was not applied; will retry: {Again}")]
    private partial void LogFailed(Exception fault, Guid taskId, int attempt, bool again);
}
