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

/// <summary>Converts events to messages: lifecycle events for subscribers, dispatches for the workers of push queues.</summary>
internal sealed class EventPublisher(
    IBus bus, BusAddress address, PushTopology topology, InFlightLimiter inFlight, QueueCatalog queues, ITaskStore store,
    IOptions<EngineOptions> options) : IEventPublisher
{
    /// <summary>Maximum entries of a message. Events have no payloads, and errors are truncated.</summary>
    private const int MaxEntries = 200;

    private const int MaxDispatch = 100;

    /// <summary>Maximum bytes of payloads and headers in a dispatch; a larger task is sent alone.</summary>
    private const int MaxDispatchBytes = 1024 * 1024;

    /// <summary>Maximum bytes of tasks read and sent at a time.</summary>
    private const long MaxReadBytes = 8 * MaxDispatchBytes;

    /// <summary>Bytes of an escaped character, and the maximum overhead of a message beside its texts.</summary>
    private const int EscapedBytes = 6, Envelope = 128 * 1024;

    /// <summary>Maximum characters of errors in a message; a larger one is sent alone.</summary>
    private const int MaxMessageChars = 1024 * 1024;

    /// <summary>Publishes events and returns when the broker has confirmed all of them.</summary>
    public async Task PublishAsync(IReadOnlyList<TaskEvent> events)
    {
        var arrived = WorkAvailable.Of(events);
        var rung = address.RabbitMq is not null && arrived.Arrivals.Count > 0 ? bus.Publish(arrived) : Task.CompletedTask;
        // The n-th events of all tasks form the n-th wave: a wave is confirmed before the next is sent, so order is kept.
        var seen = new Dictionary<Guid, int>(events.Count);
        var waves = events.GroupBy(e => seen[e.TaskId] = seen.GetValueOrDefault(e.TaskId) + 1).OrderBy(w => w.Key);
        foreach (var wave in waves)
            await Task.WhenAll([
                .. wave.GroupBy(e => e.Type).SelectMany(PublishSteps), TellWorkersAsync([.. wave.Where(e => Ended(e.Type))]),
                DispatchAsync([.. wave.Where(e => e.Dispatch)])]);
        await rung;
    }

    /// <summary>Publishes only the steps, without dispatching tasks.</summary>
    public Task PublishStepsAsync(IReadOnlyList<TaskEvent> events) => Task.WhenAll(events.GroupBy(e => e.Type).SelectMany(PublishSteps));

    /// <summary>Publishes a message that every broker accepts.</summary>
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

    /// <summary>Notifies the workers of push queues of attempts to abandon. They see only the steps of their own queue.</summary>
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
                    // A worker's own queue is full and rejects more. The message is a hint for that worker, and must not block the events
                    // of all.
                }
            }
        }
    }

    /// <summary>Splits steps into messages of bounded size.</summary>
    /// <exception cref="MessageTooLargeException">A single step is too large.</exception>
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
    /// Rejects what the broker would reject: it closes the channel, and the bus resends the message forever. Characters are counted in
    /// escaped form where that can matter.
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

    /// <summary>Maximum characters that stay within the broker's limit in escaped form, and that keep messages small.</summary>
    private int MaxChars => Math.Min(MaxMessageChars, (options.Value.MaxMessageBytes - Envelope) / EscapedBytes);

    private static TaskStep ToStep(TaskEvent e) => new(e.TaskId, e.Queue, e.Tier, e.Attempt, e.At, e.DueAt, e.Worker, e.Error);

    private async Task DispatchAsync(IReadOnlyList<TaskEvent> events)
    {
        foreach (var chunk in events.Select(e => e.TaskId).Distinct().Order().Chunk(MaxEntries))
        {
            // Ids are in order, and a truncated read omits those after its last task.
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
                await topology.DeclareAsync(tasks.Key); // the queue was deleted, or is not declared yet
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
                TraceHeaders.Of(t.Headers)?.Into(null)) { LeaseSeconds = t.DefaultLeaseMs / 1000.0 });
            bytes += size;
        }

        if (batch.Count > 0)
            yield return new DispatchTasks(batch);
    }
}

/// <summary>A message exceeds the broker's limit.</summary>
internal sealed class MessageTooLargeException(string message) : Exception(message);
