namespace TaskQueue.Engine.Queues;

/// <summary>Announces queues to the broker and to other processes.</summary>
public interface IQueueAnnouncer
{
    /// <summary>
    /// Declares a push queue at the broker, so that messages sent before it has a consumer are kept. Idempotent. Throws if the broker is
    /// unreachable.
    /// </summary>
    Task DeclareAsync(string name);

    /// <summary>
    /// Drops what the broker holds for the workers of a push queue. What a worker has received already stays.
    /// </summary>
    /// <exception cref="BrokerSilentException">The broker is unreachable, or does not do it in time.</exception>
    Task EmptyAsync(string name);

    /// <summary>
    /// Publishes that a queue was created, changed or deleted, so that other processes need not wait for their caches to expire. Throws if
    /// the broker is unreachable.
    /// </summary>
    Task PublishChangedAsync(string name);
}
