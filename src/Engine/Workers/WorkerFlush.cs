using Microsoft.Extensions.Options;
using TaskQueue.Engine.Health;

namespace TaskQueue.Engine.Workers;

/// <summary>Writes the contacts of workers with this process, and reads which workers are to drain.</summary>
internal sealed class WorkerFlush(
    WorkerRegistry registry, IWorkerStore store, WorkerMetrics metrics, IOptions<WorkerOptions> options, PollingServices services)
    : PollingService(services)
{
    private const int MaxRows = 500;

    /// <summary>A worker's last contact is as old as this in the database: a sixth of the time after which it is lost.</summary>
    private const int Fractions = 6;

    private static readonly TimeSpan Round = TimeSpan.FromSeconds(1.5), Patience = TimeSpan.FromSeconds(3);

    /// <inheritdoc />
    protected override TimeSpan AfterFault => Round;

    /// <inheritdoc />
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        metrics.Show();
        return base.StartAsync(cancellationToken);
    }

    /// <inheritdoc />
    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        try
        {
            var moment = registry.Moment(); // before the write: the read contains every restart until then
            await WriteAsync(options.Value.LostAfter / Fractions, cancellationToken);
            registry.Update((await store.DrainingAsync(cancellationToken)).ToHashSet(StringComparer.Ordinal), moment);
        }
        catch
        {
            registry.Restart();
            throw;
        }

        return Round;
    }

    /// <inheritdoc />
    protected override async Task EndAsync()
    {
        registry.StopInProcess();
        using var patience = new CancellationTokenSource(Patience, Time);
        await TryAsync(() => WriteAsync(TimeSpan.Zero, patience.Token), patience.Token);
    }

    private async Task WriteAsync(TimeSpan interval, CancellationToken cancellationToken)
    {
        var changes = registry.TakeChanges(interval);
        var written = 0;
        try
        {
            foreach (var some in changes.Chunk(MaxRows))
            {
                await store.WriteAsync([.. some.Select(s => s.Sighting)], cancellationToken);
                written += some.Length;
            }
        }
        catch
        {
            foreach (var (entry, _) in changes.Skip(written))
                entry.Unwritten();
            throw;
        }

        var lost = registry.TakeLost();
        var counted = 0;
        try
        {
            foreach (var some in lost.Chunk(MaxRows))
            {
                await store.AddLostAsync(some, cancellationToken);
                counted += some.Length;
            }
        }
        catch
        {
            registry.PutBack(lost.Skip(counted));
            throw;
        }
    }
}
