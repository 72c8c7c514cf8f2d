using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Events;

/// <summary>Publishes task events on the bus.</summary>
public interface IEventPublisher
{
    /// <summary>
    /// Publishes events and dispatches the tasks of dispatch events, in order within each task. Returns when the broker has confirmed all
    /// of them.
    /// </summary>
    Task PublishAsync(IReadOnlyList<TaskEvent> events);
}
