using MassTransit;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Dispatch;
using TaskQueue.Contracts;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Outbox;

/// <summary>Converts events to lifecycle messages for subscribers.</summary>
internal sealed class EventPublisher(IBus bus, BusAddress address, MessageLimits limits, TaskDispatcher dispatcher) : IEventPublisher
{
    /// <summary>Publishes events and dispatches their tasks.</summary>
    public Task PublishAsync(IReadOnlyList<TaskEvent> events) => Task.WhenAll(PublishStepsAsync(events), dispatcher.DispatchAsync(events));

    /// <summary>Publishes only the steps, and returns when the broker has confirmed all of them.</summary>
    public async Task PublishStepsAsync(IReadOnlyList<TaskEvent> events)
    {
        var rung = Rings(events) is { } arrived ? bus.Publish(arrived) : Task.CompletedTask;
        // The n-th events of all tasks form the n-th wave: a wave is confirmed before the next is sent, so order is kept.
        var seen = new Dictionary<Guid, int>(events.Count);
        var waves = events.GroupBy(e => seen[e.TaskId] = seen.GetValueOrDefault(e.TaskId) + 1).OrderBy(w => w.Key);
        foreach (var wave in waves)
            await Task.WhenAll(wave.GroupBy(e => e.Type).SelectMany(PublishSteps));
        await rung;
    }

    /// <summary>Whether there is anything to publish.</summary>
    public bool HasSteps(IReadOnlyList<TaskEvent> events) =>
        events.Any(e => e.Type is not (TaskEventType.Dispatched or TaskEventType.Overwritten)) || Rings(events) is not null;

    /// <summary>Publishes a message that every broker accepts.</summary>
    public Task ProbeAsync() => address.RabbitMq is null ? Task.CompletedTask : bus.Publish(new WorkAvailable([]));

    private WorkAvailable? Rings(IReadOnlyList<TaskEvent> events) =>
        address.RabbitMq is not null && WorkAvailable.Of(events) is { Arrivals.Count: > 0 } arrived ? arrived : null;

    private IEnumerable<Task> PublishSteps(IGrouping<TaskEventType, TaskEvent> events) =>
        limits.Steps(events).Select(steps => events.Key switch
        {
            TaskEventType.Submitted => bus.Publish(new TasksSubmitted(steps)),
            TaskEventType.Started => bus.Publish(new TasksStarted(steps)),
            TaskEventType.Completed => bus.Publish(new TasksCompleted(steps)),
            TaskEventType.Failed => bus.Publish(new TasksFailed(steps)),
            TaskEventType.Retrying or TaskEventType.Snoozed => bus.Publish(new TasksRetrying(steps)),
            TaskEventType.Cancelled => bus.Publish(new TasksCancelled(steps)),
            TaskEventType.Expired => bus.Publish(new TasksExpired(steps)),
            _ => Task.CompletedTask,
        });
}
