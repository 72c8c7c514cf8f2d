using Microsoft.Extensions.Logging;
using TaskQueue.Client;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using ClaimRequest = TaskQueue.Engine.Tasks.ClaimRequest;

namespace TaskQueue.Consumers.Workers;

/// <summary>Describes the claims of an in-process worker.</summary>
/// <param name="Wait">How long a claim may wait for tasks.</param>
/// <param name="NextAsync">Creates the next claim, given the maximum number of tasks.</param>
internal sealed record ClaimPlan(TimeSpan Wait, Func<int, ValueTask<ClaimRequest>> NextAsync)
{
    /// <summary>Waits until claiming is allowed.</summary>
    public Func<CancellationToken, Task> ReadyAsync { get; init; } = _ => Task.CompletedTask;

    /// <summary>Receives the number of tasks of each claim.</summary>
    public Action<int> Claimed { get; init; } = _ => { };

    /// <summary>Called when a claim has to wait for room.</summary>
    public Action Full { get; init; } = () => { };

    /// <summary>Whether attempts whose task was cancelled are aborted within a second or two, and not with the next heartbeat.</summary>
    public bool AbortsSoon { get; init; }
}

/// <summary>Claims tasks of pull queues from the engine in the same process.</summary>
internal sealed partial class EngineClaims(
    EngineReports reports, ClaimPlan plan, LoopHeartbeat heartbeat, TaskClaimer claims, ITaskQueries queries, DependencyHealth dependencies,
    TimeProvider time, ILogger<EngineClaims> logger) : IWorkerTransport
{
    /// <summary>Lease of each claim, renewed three times as often.</summary>
    public const int LeaseMs = 30_000;

    private static readonly TimeSpan Lease = TimeSpan.FromMilliseconds(LeaseMs);
    private static readonly TimeSpan AfterFault = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LookForEnded = TimeSpan.FromSeconds(1);
    private InFlightAttempts? _attempts;

    public bool ReturnsUnbegun => false;

    public async Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        _attempts = attempts;
        var watching = plan.AbortsSoon ? AbortEndedAsync(attempts, cancellationToken) : Task.CompletedTask;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await ClaimAsync(attempts, cancellationToken);
                heartbeat.Succeeded();
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
#pragma warning disable CA1031 // for example an unavailable database: the next round retries
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                {
                    heartbeat.Failed(fault);
                    LogFailed(fault, reports.Worker);
                }

                await Task.Delay(AfterFault, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        heartbeat.Rest();
        await watching;
    }

    public bool HasLease(Attempt attempt) => true;

    public Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken) =>
        reports.RenewAsync(_attempts!, heartbeats);

    public Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken) =>
        reports.ReportAsync(attempts, needStart: false);

    public Task CloseAsync() => Task.CompletedTask;

    /// <summary>Asks each second which of the tasks that run for longer have ended elsewhere, for example by a cancel.</summary>
    private async Task AbortEndedAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(LookForEnded, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var running = attempts.All.Where(a => a.BeganAt is { } began && !a.IsOver && time.GetElapsedTime(began) >= LookForEnded)
                .ToDictionary(a => a.Item.Id);
            if (running.Count == 0 || cancellationToken.IsCancellationRequested)
                continue;
            try
            {
                foreach (var id in await queries.EndedAsync([.. running.Keys], cancellationToken))
                    reports.Abandon(attempts, running[id]);
            }
#pragma warning disable CA1031 // the next heartbeat finds it too
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (!cancellationToken.IsCancellationRequested && !dependencies.TryHandle(fault))
                    LogFailed(fault, reports.Worker);
            }
        }
    }

    private async Task ClaimAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        heartbeat.Rest();
        await plan.ReadyAsync(cancellationToken);
        if (attempts.Room <= 0)
            plan.Full();
        var room = await attempts.RoomAsync(cancellationToken);
        heartbeat.Beat();
        var request = await plan.NextAsync(room) with { Contact = EngineReports.InProcess };
        var tasks = await claims.ClaimAsync(request, plan.Wait, cancellationToken, heartbeat);
        plan.Claimed(tasks.Count);
        foreach (var task in tasks)
            attempts.Take(EngineItem.Of(task, Lease));
    }

    [LoggerMessage(LogLevel.Warning, "Claiming tasks for {Worker} failed; retrying")]
    private partial void LogFailed(Exception fault, string worker);
}
