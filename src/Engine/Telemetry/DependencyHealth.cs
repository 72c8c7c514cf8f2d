using Microsoft.Extensions.Logging;

namespace TaskQueue.Engine.Telemetry;

/// <summary>
/// Outages of the database, the broker and the storage of file contents. Every component reports their failures here instead of logging
/// them: an outage is logged once when it begins and once when it ends.
/// </summary>
public sealed class DependencyHealth(TimeProvider time, ILogger<DependencyHealth> logger)
{
    /// <summary>The database: unreachable, refusing, or too slow.</summary>
    public Outage Database { get; } = new("database", time, logger);

    /// <summary>The broker: unreachable, or not confirming.</summary>
    public Outage Broker { get; } = new("broker", time, logger);

    /// <summary>The storage of file contents, such as a full disk or a server that does not answer.</summary>
    public Outage Files { get; } = new("file store", time, logger);

    /// <summary>Reports an exception that is part of a database outage.</summary>
    /// <returns>False if it is something else, which the caller should log.</returns>
    public bool TryHandle(Exception fault)
    {
        if (fault is FileStoreException)
            return Files.IsOn; // already reported
        var covered = StorageFaults.IsTransient(fault);
        var answers = fault is OverloadedException || StorageFaults.IsRace(fault);
        if (covered && !answers && StorageFaults.IsOfDatabase(fault))
            Database.ReportFailure(fault.GetBaseException().Message, StorageFaults.RefusesWrites(fault));
        return covered;
    }
}

/// <summary>State of one dependency.</summary>
public sealed partial class Outage
{
    /// <summary>
    /// An outage ends after this time without failures: a server that answers intermittently has one outage, not hundreds.
    /// </summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan Spare = TimeSpan.FromSeconds(5);

    /// <summary>How long reads may succeed without ending an outage that began with a refused write: with a full disk they do.</summary>
    private static readonly TimeSpan Unwritten = TimeSpan.FromSeconds(30);

    private readonly string _what;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private volatile bool _isOn, _isRefusing;
    private long _begun, _last, _faults;

    internal Outage(string what, TimeProvider time, ILogger logger) => (_what, _time, _logger) = (what, time, logger);

    /// <summary>Whether the dependency is in an outage, as seen by this process.</summary>
    public bool IsOn => _isOn;

    /// <summary>Whether it failed recently: optional calls are skipped.</summary>
    public bool IsFresh => _isOn && _time.GetElapsedTime(Interlocked.Read(ref _last)) < Spare;

    /// <summary>
    /// Whether it answers but has refused a write, and failed recently. A lost connection or a slow statement is no refusal.
    /// </summary>
    public bool IsRefusing => IsFresh && _isRefusing;

    /// <summary>Reports a failure caused by the dependency.</summary>
    /// <param name="reason">The reason, for the log.</param>
    /// <param name="isRefusal">Whether it answers, but takes no writes.</param>
    public void ReportFailure(string reason, bool isRefusal = false)
    {
        lock (_lock)
        {
            _last = _time.GetTimestamp();
            _faults++;
            _isRefusing |= isRefusal;
            if (_isOn)
                return;
            (_isOn, _begun, _faults) = (true, _last, 1);
        }

        LogBegun(_logger, _what, reason.ReplaceLineEndings(" "));
    }

    /// <summary>Reports a success that needed the dependency.</summary>
    /// <param name="isWrite">Whether something was written: only that soon ends an outage with refused writes.</param>
    public void ReportSuccess(bool isWrite = false)
    {
        if (!_isOn)
            return;
        TimeSpan length;
        lock (_lock)
        {
            if (!_isOn || _time.GetElapsedTime(_last) < (_isRefusing && !isWrite ? Unwritten : Quiet))
                return;
            _isOn = _isRefusing = false;
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
