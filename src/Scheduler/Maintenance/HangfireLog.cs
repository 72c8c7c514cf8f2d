using Hangfire.Logging;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using LogLevel = Microsoft.Extensions.Logging.LogLevel;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>
/// Hangfire's log goes where ours does. A database that is away is not said here: whoever else meets it says so, once. Hangfire keeps its
/// loggers for the life of the process, so they look for the factory each time.
/// </summary>
internal sealed class HangfireLog(string name) : ILog
{
    public static ILogProvider Provider { get; } = new HangfireLogProvider();

    /// <summary>The factory of the host that was built last.</summary>
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
