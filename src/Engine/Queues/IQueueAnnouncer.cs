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
    /// Publishes that a queue was created, changed or deleted, so that other processes need not wait for their caches to expire. Throws if
    /// the broker is unreachable.
    /// </summary>
    Task PublishChangedAsync(string name);
}
