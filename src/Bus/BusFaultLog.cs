using System.Runtime.Serialization;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus;

/// <summary>
/// Logs failures of bus messages. MassTransit's own logging is off by default: it treats commands of the state machine as messages too, so
/// a lost database connection would log thousands of errors with stack traces.
/// </summary>
internal sealed partial class BusFaultLog(DependencyHealth dependencies, ILogger<BusFaultLog> logger) : IReceiveObserver
{
    public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

    public Task PostReceive(ReceiveContext context) => Task.CompletedTask;

    public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
        where T : class => Task.CompletedTask;

    public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
        where T : class
    {
        if (exception is not (OperationCanceledException or ConsumerCanceledException) && !dependencies.TryHandle(exception))
            LogFault(typeof(T).Name, context.MessageId, exception.GetType().Name, exception.Message);
        return Task.CompletedTask;
    }

    public Task ReceiveFault(ReceiveContext context, Exception exception)
    {
        if (exception is SerializationException or JsonException)
            LogUnreadable(context.InputAddress.AbsolutePath, exception.GetBaseException().Message); // the sender's fault
        else if (exception is not (OperationCanceledException or ConsumerCanceledException))
            LogFailed(exception, context.InputAddress.AbsolutePath);
        return Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Warning, "{Message} {MessageId} failed: {Fault}: {Reason}")]
    private partial void LogFault(string message, Guid? messageId, string fault, string reason);

    [LoggerMessage(LogLevel.Warning, "A message of {Queue} cannot be read: {Reason}")]
    private partial void LogUnreadable(string queue, string reason);

    [LoggerMessage(LogLevel.Error, "A message of {Queue} could not be received")]
    private partial void LogFailed(Exception exception, string queue);
}
