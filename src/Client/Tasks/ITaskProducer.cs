using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

/// <summary>Enqueues tasks, over HTTP (<see cref="TaskQueueClient"/>) or RabbitMQ (package TaskQueue.Client.RabbitMq). Workers see no difference.</summary>
public interface ITaskProducer
{
    /// <summary>Enqueues a task. It is safe to call again with the same <see cref="NewTask"/>: that is the same task.</summary>
    /// <exception cref="TaskQueueException">It was refused, or nobody answered.</exception>
    Task<EnqueuedTask> EnqueueAsync(NewTask task, CancellationToken cancellationToken = default);

    /// <summary>
    /// Enqueues many tasks, up to 1,000 in one transaction: of each thousand all are accepted or none. A fault tells of the first
    /// thousand that was not; calling again with the same tasks completes what is missing.
    /// </summary>
    /// <returns>What became of each, in order.</returns>
    /// <exception cref="TaskQueueException">One was refused, or nobody answered.</exception>
    Task<IReadOnlyList<EnqueuedTask>> EnqueueManyAsync(IEnumerable<NewTask> tasks, CancellationToken cancellationToken = default);
}

/// <summary>Shorter forms.</summary>
public static class TaskProducers
{
    /// <summary>Enqueues a task whose data is a value.</summary>
    /// <param name="producer">Where to.</param>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Which processor runs it.</param>
    /// <param name="data">What it works on.</param>
    /// <param name="type">How the value is written, of a source-generated context.</param>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    /// <exception cref="TaskQueueException">It was refused, or nobody answered.</exception>
    public static Task<EnqueuedTask> EnqueueAsync<T>(
        this ITaskProducer producer, string queue, string name, T data, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(producer);
        return producer.EnqueueAsync(NewTask.Of(queue, name, data, type), cancellationToken);
    }
}
