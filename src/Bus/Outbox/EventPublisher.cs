using MassTransit;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Dispatch;
using TaskQueue.Contracts;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Outbox;

/// <summary>Converts events to lifecycle messages for subscribers.</summary>
internal sealed class EventPublisher(
    IBus bus, BusAddress address, MessageLimits limits, AcceptedSizes sizes, TaskDispatcher dispatcher) : IEventPublisher
{
    /// <summary>Publishes events and dispatches their tasks.</summary>
    public Task PublishAsync(IReadOnlyList<TaskEvent> events) => Task.WhenAll(PublishStepsAsync(events), dispatcher.DispatchAsync(events));

    /// <summary>Publishes only the steps, and returns when the broker has confirmed all of them.</summary>
    public async Task PublishStepsAsync(IReadOnlyList<TaskEvent> events)
    {
        var rung = Rings(events) is { } arrived ? RingAsync(arrived.Arrivals) : Task.CompletedTask;
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

    private async Task RingAsync(IReadOnlyList<AvailableWork> arrivals)
    {
        foreach (var some in arrivals.Chunk(MessageLimits.MaxEntries))
            await RingAsync(some);
    }

    private async Task RingAsync(AvailableWork[] arrivals)
    {
        var message = new WorkAvailable(arrivals);
        if (await sizes.RefusalAsync(message, arrivals.Length, arrivals.Sum(a => a.Queue.Length)) is null)
            await bus.Publish(message);
        else if (arrivals.Length > 1)
            await Task.WhenAll(RingAsync(arrivals[..(arrivals.Length / 2)]), RingAsync(arrivals[(arrivals.Length / 2)..]));
        // else workers look by themselves: the event itself is set aside
    }

    private IEnumerable<Task> PublishSteps(IGrouping<TaskEventType, TaskEvent> events) => events.Key switch
    {
        TaskEventType.Submitted => Publish(events, s => new TasksSubmitted(s)),
        TaskEventType.Started => Publish(events, s => new TasksStarted(s)),
        TaskEventType.Completed => Publish(events, s => new TasksCompleted(s)),
        TaskEventType.Failed => Publish(events, s => new TasksFailed(s)),
        TaskEventType.Retrying or TaskEventType.Snoozed => Publish(events, s => new TasksRetrying(s)),
        TaskEventType.Cancelled => Publish(events, s => new TasksCancelled(s)),
        TaskEventType.Expired => Publish(events, s => new TasksExpired(s)),
        _ => [],
    };

    private IEnumerable<Task> Publish<T>(IEnumerable<TaskEvent> events, Func<List<TaskStep>, T> message)
        where T : class =>
        limits.Steps(events).Select(steps => PublishAsync(steps, message));

    /// <summary>Publishes steps of different tasks, in as many messages as the broker demands.</summary>
    private async Task PublishAsync<T>(List<TaskStep> steps, Func<List<TaskStep>, T> message)
        where T : class
    {
        var sent = message(steps);
        var chars = steps.Sum(s => (long)s.Queue.Length + (s.Worker?.Length ?? 0) + (s.Error?.Length ?? 0));
        if (await sizes.RefusalAsync(sent, steps.Count, chars) is not { } reason)
            await bus.Publish(sent);
        else if (steps.Count > 1)
            await Task.WhenAll(
                PublishAsync(steps[..(steps.Count / 2)], message), PublishAsync(steps[(steps.Count / 2)..], message));
        else
            throw new MessageTooLargeException($"the broker refuses its message: {reason}");
    }
}
