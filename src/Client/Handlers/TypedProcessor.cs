using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

using Processor = Func<IServiceProvider, TaskContext, CancellationToken, Task<TaskOutcome>>;

/// <summary>Processors that read the data of a task before they run, and write its result.</summary>
internal static class TypedProcessor
{
    private const DynamicallyAccessedMemberTypes Constructors = DynamicallyAccessedMemberTypes.PublicConstructors;

    public static Processor Of<TIn, TOut>(
        JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output, Func<TIn, TaskContext, CancellationToken, Task<TOut>> processor) =>
        async (_, task, cancellationToken) =>
            TryRead(task, input, out var data) is { } failure ? failure
                : TaskOutcome.Completed(await processor(data!, task, cancellationToken), output);

    public static Processor Of<[DynamicallyAccessedMembers(Constructors)] THandler, TIn, TOut>(
        JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output)
        where THandler : class, ITaskHandler<TIn, TOut> =>
        async (services, task, cancellationToken) =>
            TryRead(task, input, out var data) is { } failure ? failure
                : await HandlerInstance.UseAsync<THandler>(services, async handler =>
                    TaskOutcome.Completed(await handler.ProcessAsync(data!, task, cancellationToken), output));

    public static Processor Of<[DynamicallyAccessedMembers(Constructors)] THandler, TIn>(JsonTypeInfo<TIn> input)
        where THandler : class, ITaskHandler<TIn> =>
        async (services, task, cancellationToken) =>
            TryRead(task, input, out var data) is { } failure ? failure
                : await HandlerInstance.UseAsync<THandler>(services, async handler =>
                {
                    await handler.ProcessAsync(data!, task, cancellationToken);
                    return TaskOutcome.Completed();
                });

    public static Processor Of<[DynamicallyAccessedMembers(Constructors)] THandler>()
        where THandler : class, ITaskHandler =>
        (services, task, cancellationToken) =>
            HandlerInstance.UseAsync<THandler>(services, handler => handler.ProcessAsync(task, cancellationToken));

    /// <summary>Reads the data of a task.</summary>
    /// <returns>Null if it was read; otherwise why the task fails for good, because the next attempt cannot read it either.</returns>
    private static TaskOutcome? TryRead<T>(TaskContext task, JsonTypeInfo<T> type, out T? data)
    {
        try
        {
            data = task.Read(type);
            return null;
        }
        catch (JsonException fault)
        {
            data = default;
            return TaskOutcome.Unreadable(typeof(T), fault);
        }
    }
}
