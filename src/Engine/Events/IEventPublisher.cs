using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Events;

/// <summary>Publishes events of tasks on the bus.</summary>
public interface IEventPublisher
{
    /// <summary>
    /// Publishes events, and dispatches the tasks of those that say so, in the order of the events of each task. Returns when the broker
    /// has confirmed all of them.
    /// </summary>
    Task PublishAsync(IReadOnlyList<TaskEvent> events);
}
