using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>
/// Logs an outage of the server or the broker once when it begins and once when it ends, however many claims, heartbeats and reports
/// notice it.
/// </summary>
internal sealed partial class OutageLog(TimeProvider time, ILogger logger)
{
    /// <summary>An outage ends after this time without failures: a server that answers now and then has one outage, not many.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(3);

    private readonly Lock _lock = new();
    private volatile bool _isOn;
    private long _begun, _last, _failures;

    /// <summary>A request failed, and will be repeated.</summary>
    public void Failed(string why)
    {
        lock (_lock)
        {
            _last = time.GetTimestamp();
            _failures++;
            if (_isOn)
                return;
            (_isOn, _begun, _failures) = (true, _last, 1);
        }

        LogBegun(why);
    }

    /// <summary>A request succeeded.</summary>
    public void Succeeded()
    {
        if (!_isOn)
            return;
        TimeSpan length;
        lock (_lock)
        {
            if (!_isOn || time.GetElapsedTime(_last) < Quiet)
                return;
            _isOn = false;
            length = time.GetElapsedTime(_begun, _last);
        }

        LogOver(length.TotalSeconds, _failures);
    }

    [LoggerMessage(LogLevel.Warning, "The connection is lost; retrying, and logging no more of this: {Why}")]
    private partial void LogBegun(string why);

    [LoggerMessage(LogLevel.Warning, "The connection is back after {Seconds:0.0} s with {Failures} failed requests")]
    private partial void LogOver(double seconds, long failures);
}
