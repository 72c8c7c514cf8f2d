using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Every line that a program logs at Information or above.</summary>
internal sealed class LogLines : ILoggerProvider, ILogger
{
    public ConcurrentQueue<string> All { get; } = [];

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
            All.Enqueue($"{logLevel} {formatter(state, exception)}");
    }

    public void Dispose()
    {
    }
}
