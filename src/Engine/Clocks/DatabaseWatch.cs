using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Clocks;

/// <summary>
/// Measures the database's clock for <see cref="DatabaseClock"/>, and notices when the database goes on elsewhere: after a failover it may
/// lack transactions that this process remembers.
/// </summary>
public sealed partial class DatabaseWatch : PollingService
{
    /// <summary>Interval of measurements: how long the other processes may not have noticed a step of the database's clock.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    /// <summary>A larger difference of the machine's clock is worth a warning, although it does no harm here.</summary>
    internal static readonly TimeSpan Tolerated = TimeSpan.FromSeconds(5);

    private readonly IDatabaseTimeSource _database;
    private readonly DatabaseClock _clock;
    private readonly Lock _lock = new();
    private string? _server;
    private long _asked = long.MinValue; // timestamp of the last question whose answer named the server
    private int _steps, _failovers;
    private bool _isOff;

    /// <summary>Creates the gauge.</summary>
    public DatabaseWatch(IDatabaseTimeSource database, DatabaseClock clock, IMeterFactory meters, PollingServices services)
        : base(services)
    {
        ArgumentNullException.ThrowIfNull(meters);
        (_database, _clock) = (database, clock);
        meters.Create(TaskQueueMeter.Name).CreateObservableGauge("taskqueue.clock.offset", () => Offset.TotalSeconds, "s",
            "By how much the clock of this machine is ahead of the database's, which counts.");
    }

    /// <summary>How often the time has jumped, or the database has failed over: leases of others may then seem to have expired.</summary>
    internal int Breaks => Volatile.Read(ref _steps) + Failovers;

    /// <summary>How often the database has failed over to a server that may lack the last transactions.</summary>
    internal int Failovers => Volatile.Read(ref _failovers);

    /// <summary>Tells the database's servers apart: the same in all processes, changed by a failover; 0 if unknown.</summary>
    internal int ServerMark
    {
        get
        {
            lock (_lock)
                return MarkOf(_server);
        }
    }

    /// <summary>The difference of this machine's clock, if it is large; otherwise null.</summary>
    public string? Difference
    {
        get
        {
            var offset = Offset;
            return offset.Duration() < Tolerated ? null
                : string.Create(CultureInfo.InvariantCulture, $"the clock of this machine is {offset.Duration().TotalSeconds:0} s ")
                    + $"{(offset > TimeSpan.Zero ? "ahead of" : "behind")} the database's, which counts";
        }
    }

    private TimeSpan Offset => _database.HasClock ? _clock.MachineOffset : TimeSpan.Zero;

    /// <summary>Measures now.</summary>
    public async Task MeasureAsync(CancellationToken cancellationToken)
    {
        var answer = await _database.ReadAsync(cancellationToken);
        var step = _clock.Measured(answer.Now, answer.Sent, answer.Received);
        if (step != TimeSpan.Zero)
        {
            Interlocked.Increment(ref _steps);
            LogStep(Logger, _database.HasClock ? "database" : "machine", step.TotalSeconds);
        }

        NoteServer(answer);
    }

    /// <inheritdoc />
    protected override TimeSpan AfterFault => Interval;

    /// <inheritdoc />
    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        await MeasureAsync(cancellationToken);
        var isOff = Difference is not null;
        if (isOff && !_isOff)
            LogOff(Logger, Offset.TotalSeconds);
        else if (_isOff && !isOff)
            LogRight(Logger);
        _isOff = isOff;
        return Interval;
    }

    /// <summary>FNV-1a, of which 20 bits are kept.</summary>
    private static int MarkOf(string? server)
    {
        if (server is null)
            return 0;
        var hash = 2166136261u;
        foreach (var c in server)
            hash = (hash ^ c) * 16777619u;
        return (int)((hash ^ (hash >> 20)) & 0xFFFFF) is > 0 and var mark ? mark : 1;
    }

    private void NoteServer(DatabaseTime answer)
    {
        if (answer.Server is not { } server)
            return;
        string? before;
        lock (_lock)
        {
            if (answer.Sent < _asked)
                return;
            (before, _server, _asked) = (_server, server, answer.Sent);
        }

        if (before is null || before == server)
            return;
        Interlocked.Increment(ref _failovers);
        LogFailover(Logger, before, server);
    }

    [LoggerMessage(LogLevel.Warning, "The clock of the {What} was set by {Seconds:0.0} s; following it")]
    private static partial void LogStep(ILogger logger, string what, double seconds);

    [LoggerMessage(LogLevel.Warning,
        "The clock of this machine is {Seconds:0} s ahead of the database's (behind, if negative); the database's counts")]
    private static partial void LogOff(ILogger logger, double seconds);

    [LoggerMessage(LogLevel.Information, "The clock of this machine agrees with the database's again")]
    private static partial void LogRight(ILogger logger);

    [LoggerMessage(LogLevel.Warning,
        "The database has failed over ({Before} to {After}): transactions that had not reached its new server are lost")]
    private static partial void LogFailover(ILogger logger, string before, string after);
}
