using Microsoft.Extensions.Hosting;
using TaskQueue.Client;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Consumers.Workers;

/// <summary>
/// Workers of this process. From the moment the process is to stop they take nothing more; what is under way may end within the grace
/// period, and the rest is given back.
/// </summary>
internal abstract class EngineWorker(Drain drain) : BackgroundService
{
    /// <summary>Tasks that were begun and are not reported.</summary>
    public int Running => Runtimes.Sum(r => r.Running);

    protected abstract IReadOnlyList<WorkerRuntime> Runtimes { get; }

    /// <summary>
    /// Outcomes wait in a backlog of their own while the database is slow or away. Both timeouts are parts of what
    /// <see cref="DrainOptions.Longest"/> keeps in reserve.
    /// </summary>
    protected static WorkerRuntimeOptions LimitsOf(int concurrency) => new(concurrency, Prefetch: 0)
    {
        AbortTimeout = TimeSpan.FromSeconds(2),
        ReportTimeout = TimeSpan.FromSeconds(6),
        ReportBacklog = 1000,
        LongestBackoff = TimeSpan.FromMilliseconds(500),
    };

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, drain.Begun);
        await Task.WhenAll(Runtimes.Select(r => r.RunAsync(stopping.Token, drain.Over)));
    }
}
