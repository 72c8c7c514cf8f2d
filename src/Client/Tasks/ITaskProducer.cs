using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

/// <summary>
/// Enqueues tasks over HTTP (<see cref="TaskQueueClient"/>) or RabbitMQ (package TaskQueue.Client.RabbitMq). Workers see no difference.
/// </summary>
public interface ITaskProducer
{
    /// <summary>Enqueues a task. Idempotent: a retry with the same <see cref="NewTask"/> enqueues it once.</summary>
    /// <exception cref="TaskQueueException">The task was refused, or the server or broker did not answer.</exception>
    Task<EnqueuedTask> EnqueueAsync(NewTask task, CancellationToken cancellationToken = default);

    /// <summary>
    /// Enqueues many tasks in transactions of up to 1,000: each transaction is accepted as a whole or not at all. An exception reports
    /// the first transaction that failed; call again with the same tasks to enqueue those still missing.
    /// </summary>
    /// <returns>The submit result of each task, in order.</returns>
    /// <exception cref="TaskQueueException">A task was refused, or the server or broker did not answer.</exception>
    Task<IReadOnlyList<EnqueuedTask>> EnqueueManyAsync(IEnumerable<NewTask> tasks, CancellationToken cancellationToken = default);
}

/// <summary>Convenience overloads for <see cref="ITaskProducer"/>.</summary>
public static class TaskProducers
{
    /// <summary>Enqueues a task with a value as its data.</summary>
    /// <param name="producer">The producer.</param>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Task name, which selects the processor.</param>
    /// <param name="data">The data.</param>
    /// <param name="type">Serialization metadata from a source-generated context.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">The task was refused, or the server or broker did not answer.</exception>
    public static Task<EnqueuedTask> EnqueueAsync<T>(
        this ITaskProducer producer, string queue, string name, T data, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(producer);
        return producer.EnqueueAsync(NewTask.Of(queue, name, data, type), cancellationToken);
    }

    /// <summary>
    /// Enqueues a task with a value as its data, such as <c>new { To = "ann" }</c>. Its JSON is made by reflection: camelCase.
    /// </summary>
    /// <param name="producer">The producer.</param>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Task name, which selects the processor.</param>
    /// <param name="data">The data; a text becomes a JSON string. See <see cref="NewTask.Data"/> for JSON text.</param>
    /// <exception cref="TaskQueueException">The task was refused, or the server or broker did not answer.</exception>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public static Task<EnqueuedTask> EnqueueAsync<T>(this ITaskProducer producer, string queue, string name, T data) =>
        producer.EnqueueAsync(queue, name, data, CancellationToken.None);

    /// <inheritdoc cref="EnqueueAsync{T}(ITaskProducer, string, string, T)"/>
    /// <param name="producer">The producer.</param>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Task name, which selects the processor.</param>
    /// <param name="data">The data; a text becomes a JSON string.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public static Task<EnqueuedTask> EnqueueAsync<T>(
        this ITaskProducer producer, string queue, string name, T data, CancellationToken cancellationToken) =>
        producer.EnqueueAsync(queue, name, data, ReflectedJson.Of<T>(), cancellationToken);
}
