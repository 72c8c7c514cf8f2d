namespace TaskQueue.Engine.Queues;

/// <summary>Makes queues known outside of this process: to the broker, and to other processes.</summary>
public interface IQueueAnnouncer
{
    /// <summary>
    /// Declares a push queue at the broker, so that no message to it is lost before it has a consumer. Idempotent; throws where the broker
    /// is away.
    /// </summary>
    Task DeclareAsync(string name);

    /// <summary>
    /// Publishes that a queue was made, changed or deleted, so that other processes need not wait for their caches to expire. Throws where
    /// the broker is away.
    /// </summary>
    Task PublishChangedAsync(string name);
}
