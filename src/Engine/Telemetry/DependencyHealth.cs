using Microsoft.Extensions.Logging;

namespace TaskQueue.Engine.Telemetry;

/// <summary>
/// What of this process's surroundings is away. Everything that meets a fault of the database or the broker says so here, and
/// not in the log: an outage is one line when it begins and one when it is over, however many met it.
/// </summary>
public sealed class DependencyHealth(TimeProvider time, ILogger<DependencyHealth> logger)
{
    /// <summary>The database: away, refusing, or too slow.</summary>
    public Outage Database { get; } = new("database", time, logger);

    /// <summary>The broker: away, or not confirming.</summary>
    public Outage Broker { get; } = new("broker", time, logger);

    /// <summary>Counts a fault that is part of an outage of the database.</summary>
    /// <returns>False where it is something else, which should be logged where it was met.</returns>
    public bool TryHandle(Exception fault)
    {
        var covered = StorageFaults.IsTransient(fault);
        if (covered && fault is not OverloadedException)
            Database.ReportFailure(fault.GetBaseException().Message);
        return covered;
    }
}

/// <summary>One thing that may be away.</summary>
public sealed partial class Outage
{
    /// <summary>
    /// An outage is over when so long nothing failed any more: a server that answers some of the time makes one outage, not hundreds.
    /// </summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan Spare = TimeSpan.FromSeconds(5);

    private readonly string _what;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private volatile bool _isOn;
    private long _begun, _last, _faults;

    internal Outage(string what, TimeProvider time, ILogger logger) => (_what, _time, _logger) = (what, time, logger);

    /// <summary>Whether it is away, as far as this process knows.</summary>
    public bool IsOn => _isOn;

    /// <summary>Whether it failed a moment ago: who can do without it does not ask again yet.</summary>
    public bool IsFresh => _isOn && _time.GetElapsedTime(Interlocked.Read(ref _last)) < Spare;

    /// <summary>Something failed because of it.</summary>
    public void ReportFailure(string reason)
    {
        lock (_lock)
        {
            _last = _time.GetTimestamp();
            _faults++;
            if (_isOn)
                return;
            (_isOn, _begun, _faults) = (true, _last, 1);
        }

        LogBegun(_logger, _what, reason.ReplaceLineEndings(" "));
    }

    /// <summary>Something succeeded that needs it.</summary>
    public void ReportSuccess()
    {
        if (!_isOn)
            return;
        TimeSpan length;
        lock (_lock)
        {
            if (!_isOn || _time.GetElapsedTime(_last) < Quiet)
                return;
            _isOn = false;
            length = _time.GetElapsedTime(_begun, _last);
        }

        LogOver(_logger, _what, length.TotalSeconds, _faults);
    }

    [LoggerMessage(LogLevel.Warning,
        "The {What} does not answer as it should: {Reason}; what needs it waits or is refused until it does, and more of this is not "
            + "logged")]
    private static partial void LogBegun(ILogger logger, string what, string reason);

    [LoggerMessage(LogLevel.Warning, "The {What} answers again, after {Seconds:0.0} s with {Faults} faults")]
    private static partial void LogOver(ILogger logger, string what, double seconds, long faults);
}
