using Microsoft.Extensions.Logging;

namespace TaskQueue.Consumers;

/// <summary>Which attempt a log line is about.</summary>
internal static class AttemptScope
{
    private static readonly Func<ILogger, Guid, int, IDisposable?> Define = LoggerMessage.DefineScope<Guid, int>("Task {TaskId} attempt {Attempt}");

    /// <summary>All that is logged until it is disposed is about this attempt.</summary>
    public static IDisposable? BeginAttempt(this ILogger logger, Guid task, int attempt) => Define(logger, task, attempt);
}
