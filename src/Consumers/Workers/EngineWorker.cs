using Microsoft.Extensions.Hosting;
using TaskQueue.Client;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Consumers.Workers;

/// <summary>
/// Base of in-process workers. On shutdown they accept no more tasks; running tasks may finish within the grace period, and the
/// rest are released.
/// </summary>
internal abstract class EngineWorker(Drain drain) : BackgroundService
{
    /// <summary>Number of tasks begun and not yet reported.</summary>
    public int Running => Runtimes.Sum(r => r.Running);

    protected abstract IReadOnlyList<WorkerRuntime> Runtimes { get; }

    /// <summary>
    /// Outcomes wait in a separate backlog while the database is slow or unavailable. Both timeouts are part of the reserve of
    /// <see cref="DrainOptions.Longest"/>.
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
