namespace TaskQueue.Engine.Notifications;

/// <summary>What the bus knows about push queues.</summary>
public interface IPushQueues
{
    /// <summary>Reads the state of a push queue. Takes a second at most, and never throws because of the broker.</summary>
    Task<PushQueueState> ReadAsync(string queue);
}

/// <summary>The state of a push queue.</summary>
/// <param name="HeldSince">Since when the broker has taken no dispatches of it from this process; null if it takes them.</param>
/// <param name="Reason">Why it takes none.</param>
/// <param name="Messages">Messages that wait at the broker, each of up to 100 tasks; null if that is not known.</param>
/// <param name="Consumers">Consumers of the queue at the broker; null if that is not known.</param>
public sealed record PushQueueState(DateTime? HeldSince, string Reason, long? Messages, long? Consumers);
