using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Tests.Servers;

/// <summary>A watch of a database whose clock a test sets, and which fails over.</summary>
internal sealed class WatchedDatabase : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public WatchedDatabase(DatabaseClock clock, SteppedDatabase database)
    {
        Database = database;
        var meters = _services.GetRequiredService<IMeterFactory>();
        var polling = new PollingServices(new LoopHeartbeats(new OutageGracePeriod(clock), meters, clock),
            new DependencyHealth(clock, NullLogger<DependencyHealth>.Instance), clock, NullLoggerFactory.Instance);
        Watch = new DatabaseWatch(database, clock, meters, polling);
    }

    public SteppedDatabase Database { get; }

    public DatabaseWatch Watch { get; }

    /// <summary>Another server has taken over, and the process notices.</summary>
    public async Task FailOverAsync()
    {
        await Watch.MeasureAsync(CancellationToken.None);
        Database.Server += "'";
        await Watch.MeasureAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        Watch.Dispose();
        await _services.DisposeAsync();
    }
}
