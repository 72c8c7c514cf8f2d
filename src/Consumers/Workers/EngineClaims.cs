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
}

/// <summary>Claims tasks of pull queues from the engine in the same process.</summary>
internal sealed partial class EngineClaims(
    EngineReports reports, ClaimPlan plan, LoopHeartbeat heartbeat, TaskClaimer claims, DependencyHealth dependencies, TimeProvider time,
    ILogger<EngineClaims> logger) : IWorkerTransport
{
    /// <summary>Lease of each claim, renewed three times as often.</summary>
    public const int LeaseMs = 30_000;

    private static readonly TimeSpan Lease = TimeSpan.FromMilliseconds(LeaseMs);
    private static readonly TimeSpan AfterFault = TimeSpan.FromMilliseconds(500);
    private InFlightAttempts? _attempts;

    public bool ReturnsUnbegun => false;

    public async Task FetchAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        _attempts = attempts;
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
    }

    public bool HasLease(Attempt attempt) => true;

    public Task HeartbeatAsync(IReadOnlyList<Heartbeat> heartbeats, CancellationToken cancellationToken) =>
        reports.RenewAsync(_attempts!, heartbeats);

    public Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken) =>
        reports.ReportAsync(attempts, needStart: false);

    public Task CloseAsync() => Task.CompletedTask;

    private async Task ClaimAsync(InFlightAttempts attempts, CancellationToken cancellationToken)
    {
        heartbeat.Rest();
        await plan.ReadyAsync(cancellationToken);
        var room = await attempts.RoomAsync(cancellationToken);
        heartbeat.Beat();
        var request = await plan.NextAsync(room) with { Contact = EngineReports.InProcess };
        foreach (var task in await claims.ClaimAsync(request, plan.Wait, cancellationToken, heartbeat))
            attempts.Take(EngineItem.Of(task, Lease));
    }

    [LoggerMessage(LogLevel.Warning, "Claiming tasks for {Worker} failed; retrying")]
    private partial void LogFailed(Exception fault, string worker);
}
