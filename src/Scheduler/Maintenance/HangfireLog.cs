using Hangfire.Logging;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using LogLevel = Microsoft.Extensions.Logging.LogLevel;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>
/// Routes Hangfire's log to the host's loggers. Database outages are suppressed here, because they are logged once elsewhere. Hangfire
/// keeps its loggers for the lifetime of the process, so they resolve the factory each time.
/// </summary>
internal sealed class HangfireLog(string name) : ILog
{
    public static ILogProvider Provider { get; } = new HangfireLogProvider();

    /// <summary>The factory of the most recently built host.</summary>
    public static ILoggerFactory? Loggers { get; set; }

    public bool Log(Hangfire.Logging.LogLevel logLevel, Func<string>? messageFunc, Exception? exception = null)
    {
        if (exception is not null && StorageFaults.IsTransient(exception))
            return true;
        try
        {
            var logger = Loggers?.CreateLogger(name);
            var level = LevelOf(logLevel);
            if (logger?.IsEnabled(level) != true)
                return false;
            if (messageFunc is not null)
                logger.Log(level, 0, messageFunc(), exception, static (text, _) => text);
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false; // the host has ended
        }
    }

    private static LogLevel LevelOf(Hangfire.Logging.LogLevel level) => level switch
    {
        Hangfire.Logging.LogLevel.Trace => LogLevel.Trace,
        Hangfire.Logging.LogLevel.Debug => LogLevel.Debug,
        Hangfire.Logging.LogLevel.Info => LogLevel.Information,
        Hangfire.Logging.LogLevel.Warn => LogLevel.Warning,
        Hangfire.Logging.LogLevel.Error => LogLevel.Error,
        _ => LogLevel.Critical,
    };
}

internal sealed class HangfireLogProvider : ILogProvider
{
    public ILog GetLogger(string name) => new HangfireLog(name);
}
