using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.Options;
using TaskQueue.Bus.Connection;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Outbox;

/// <summary>Turns events into messages: lifecycle events to whoever subscribed, dispatches to the workers of push queues.</summary>
internal sealed class EventPublisher(
    IBus bus, BusAddress address, PushTopology topology, InFlightLimiter inFlight, QueueCatalog queues, ITaskStore store,
        IOptions<EngineOptions> options) : IEventPublisher
{
    /// <summary>Entries of a message. Those of events have no payloads, and of an error only its beginning.</summary>
    private const int MaxEntries = 200;

    private const int MaxDispatch = 100;

    /// <summary>Bytes of payloads and headers in one dispatch; a larger task travels alone.</summary>
    private const int MaxDispatchBytes = 1024 * 1024;

    /// <summary>The same of those that are read and sent at a time.</summary>
    private const long MaxReadBytes = 8 * MaxDispatchBytes;

    /// <summary>Bytes of a character that is escaped, and at most of all that a message has beside its texts.</summary>
    private const int EscapedBytes = 6, Envelope = 128 * 1024;

    /// <summary>Characters of errors in one message; a larger one travels alone.</summary>
    private const int MaxMessageChars = 1024 * 1024;

    /// <summary>Publishes events and returns when the broker has confirmed all.</summary>
    public async Task PublishAsync(IReadOnlyList<TaskEvent> events)
    {
        var arrived = WorkAvailable.Of(events);
        var rung = address.RabbitMq is not null && arrived.Arrivals.Count > 0 ? bus.Publish(arrived) : Task.CompletedTask;
        // The n-th event of each task makes the n-th wave: a wave is confirmed before the next leaves, so order is kept.
        var seen = new Dictionary<Guid, int>(events.Count);
        var waves = events.GroupBy(e => seen[e.TaskId] = seen.GetValueOrDefault(e.TaskId) + 1).OrderBy(w => w.Key);
        foreach (var wave in waves)
            await Task.WhenAll([.. wave.GroupBy(e => e.Type)
                .SelectMany(PublishSteps), TellWorkersAsync([.. wave.Where(e => Ended(e.Type))]),
                    DispatchAsync([.. wave.Where(e => e.Dispatch)])]);
        await rung;
    }

    /// <summary>Publishes the steps alone: nothing is dispatched.</summary>
    public Task PublishStepsAsync(IReadOnlyList<TaskEvent> events) => Task.WhenAll(events.GroupBy(e => e.Type).SelectMany(PublishSteps));

    /// <summary>Publishes something that every broker takes.</summary>
    public Task ProbeAsync() => address.RabbitMq is null ? Task.CompletedTask : bus.Publish(new WorkAvailable([]));

    private IEnumerable<Task> PublishSteps(IGrouping<TaskEventType, TaskEvent> events) =>
        Groups(events.Select(ToStep)).Select(steps => events.Key switch
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

    private static bool Ended(TaskEventType type) =>
        type is TaskEventType.Failed or TaskEventType.Retrying or TaskEventType.Snoozed or TaskEventType.Cancelled;

    /// <summary>Tells the workers of push queues what they need not go on with. They see the steps of their own queue only.</summary>
    private async Task TellWorkersAsync(IReadOnlyList<TaskEvent> ended)
    {
        if (address.RabbitMq is null || ended.Count == 0)
            return;
        var known = await queues.AllAsync();
        foreach (var group in ended.Where(e => known.GetValueOrDefault(e.Queue)?.Delivery == Delivery.Push
            && e.Queue != BuiltInQueues.Tasks).GroupBy(e => (e.Queue, e.Type)))
        {
            var endpoint = await bus.GetSendEndpoint(new Uri("exchange:" + Addresses.EndedOf(group.Key.Queue)));
            foreach (var steps in Groups(group.Select(ToStep)))
            {
                try
                {
                    await (group.Key.Type switch
                    {
                        TaskEventType.Failed => endpoint.Send(new TasksFailed(steps)),
                        TaskEventType.Cancelled => endpoint.Send(new TasksCancelled(steps)),
                        _ => endpoint.Send(new TasksRetrying(steps)),
                    });
                }
                catch (MessageNotAcknowledgedException)
                {
                    // A worker's own queue is full and refuses more. It is a hint to that worker, and must not stop the events of all.
                }
            }
        }
    }

    /// <summary>Steps in messages of bounded size.</summary>
    /// <exception cref="MessageTooLargeException">One alone is too large.</exception>
    private IEnumerable<List<TaskStep>> Groups(IEnumerable<TaskStep> steps)
    {
        var group = new List<TaskStep>();
        var chars = 0;
        foreach (var step in steps)
        {
            var length = step.Error?.Length ?? 0;
            Demand(step.Error);
            if (group.Count == MaxEntries || (group.Count > 0 && chars + length > MaxChars))
            {
                yield return group;
                group = [];
                chars = 0;
            }

            group.Add(step);
            chars += length;
        }

        if (group.Count > 0)
            yield return group;
    }

    /// <summary>
    /// What the broker would refuse is not sent: it closes the channel, and the bus sends the message again for ever. Characters are
    /// counted as they are escaped, where that can matter.
    /// </summary>
    private void Demand(string? text, string? more = null)
    {
        if (address.RabbitMq is null || (text?.Length ?? 0) + (more?.Length ?? 0) <= MaxChars)
            return;
        var bytes = (long)Envelope + Escaped(text) + Escaped(more);
        if (bytes > options.Value.MaxMessageBytes)
            throw new MessageTooLargeException($"its message has about {bytes} bytes, and TaskQueue:MaxMessageBytes is "
                + $"{options.Value.MaxMessageBytes}");
    }

    private static int Escaped(string? text) => text is null ? 0 : JsonEncodedText.Encode(text).EncodedUtf8Bytes.Length;

    /// <summary>Characters that are in the broker's bounds however they are escaped, and no more than makes a handy message.</summary>
    private int MaxChars => Math.Min(MaxMessageChars, (options.Value.MaxMessageBytes - Envelope) / EscapedBytes);

    private static TaskStep ToStep(TaskEvent e) => new(e.TaskId, e.Queue, e.Tier, e.Attempt, e.At, e.DueAt, e.Worker, e.Error);

    private async Task DispatchAsync(IReadOnlyList<TaskEvent> events)
    {
        foreach (var chunk in events.Select(e => e.TaskId).Distinct().Order().Chunk(MaxEntries))
        {
            // Ids come in their order, and a read that is cut leaves those behind its last task.
            for (var ids = chunk; ids.Length > 0 && await store.ReadForDispatchAsync(ids, MaxReadBytes) is { Count: > 0 } tasks;)
            {
                await Task.WhenAll(tasks.GroupBy(t => t.Queue).Select(SendAsync));
                ids = Array.FindAll(ids, id => id.CompareTo(tasks[^1].CorrelationId) > 0);
            }
        }
    }

    private async Task SendAsync(IGrouping<string, TaskState> tasks)
    {
        var endpoint = await bus.GetSendEndpoint(address.Of(tasks.Key));
        await Task.WhenAll(Batches(tasks).Select(async batch =>
        {
            inFlight.Sent(batch.Tasks.Count);
            try
            {
                await endpoint.Send(batch, c => BusAddress.DemandQueue(c));
            }
            catch (MessageReturnedException)
            {
                await topology.DeclareAsync(tasks.Key); // somebody deleted the queue, or nobody made it yet
                await endpoint.Send(batch, c => BusAddress.DemandQueue(c));
            }
        }));
    }

    private IEnumerable<DispatchTasks> Batches(IEnumerable<TaskState> tasks)
    {
        var batch = new List<DispatchedTask>();
        var bytes = 0L;
        foreach (var t in tasks)
        {
            Demand(t.Payload, t.Headers);
            var size = TaskClaimer.BytesOf(t);
            if (batch.Count > 0 && (batch.Count == MaxDispatch || bytes + size > Math.Min(MaxDispatchBytes, MaxChars)))
            {
                yield return new DispatchTasks(batch);
                batch = [];
                bytes = 0;
            }

            batch.Add(new DispatchedTask(t.CorrelationId, t.Queue, t.Tier, t.Name, t.Attempt + 1, t.Payload,
                TraceHeaders.Of(t.Headers)?.Into(null)));
            bytes += size;
        }

        if (batch.Count > 0)
            yield return new DispatchTasks(batch);
    }
}

/// <summary>What is to be sent is larger than the broker takes.</summary>
internal sealed class MessageTooLargeException(string message) : Exception(message);
