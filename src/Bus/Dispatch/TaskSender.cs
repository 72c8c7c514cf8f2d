using System.Collections.Concurrent;
using MassTransit;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Bus.Connection;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Dispatch;

/// <summary>
/// Sends waiting push tasks to the workers of their queues. A task that cannot be sent to anyone is quarantined; a queue that takes nothing
/// is reported, and its tasks still wait in the database.
/// </summary>
internal sealed class TaskSender(
    IBus bus, BusAddress address, PushTopology topology, WorkerChannels channels, MessageLimits limits, InFlightLimiter inFlight,
    ITaskStore store, TaskQuarantine quarantine, TimeProvider time)
{
    /// <summary>Maximum tasks of a message.</summary>
    public const int MaxTasks = 100;

    /// <summary>Maximum bytes of payloads and headers in a message, and its lower bound; a larger task is sent alone.</summary>
    private const int MaxBytes = 1024 * 1024, MinBytes = 16 * 1024;

    /// <summary>Maximum bytes of tasks read and sent at a time.</summary>
    private const long MaxReadBytes = 8 * MaxBytes;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly RepeatedFailures<Guid> _failures = new(time);
    private volatile int _maxBytes = MaxBytes; // less once the broker has refused so much

    /// <summary>Sends those of the tasks that still wait.</summary>
    /// <exception cref="BrokerSilentException">The broker is away, or accepts nothing at all.</exception>
    public async Task<SentTasks> SendAsync(IEnumerable<Guid> tasks)
    {
        var sent = new SentTasks();
        foreach (var chunk in tasks.Distinct().Order().Chunk(MessageLimits.MaxEntries))
            await SendAsync(chunk, sent);
        return sent;
    }

    /// <summary>If a row is at fault, the tasks are halved until it stands alone; that one is quarantined.</summary>
    private async Task SendAsync(Guid[] ids, SentTasks sent)
    {
        while (true)
        {
            try
            {
                await ReadAndSendAsync(ids, sent);
                return;
            }
            catch (Exception fault) when (IsOfTask(fault))
            {
                if (ids.Length == 1)
                {
                    if (_failures.Failed(ids[0]))
                    {
                        await SetAsideAsync(ids[0], fault, sent);
                        return;
                    }
                }
                else
                {
                    await SendAsync(ids[..(ids.Length / 2)], sent);
                    await SendAsync(ids[(ids.Length / 2)..], sent);
                    return;
                }
            }

            await Task.Delay(Pause, time);
        }
    }

    private static bool IsOfTask(Exception fault) =>
        StorageFaults.IsOfRow(fault) && fault is not (BrokerSilentException or MassTransitException or RabbitMQClientException);

    private async Task ReadAndSendAsync(Guid[] ids, SentTasks sent)
    {
        // Ids are in order, and a truncated read omits those after its last task.
        while (ids.Length > 0 && await store.ReadForDispatchAsync(ids, MaxReadBytes) is { Count: > 0 } tasks)
        {
            await Task.WhenAll(tasks.Where(t => !sent.Tasks.ContainsKey(t.CorrelationId)).GroupBy(t => t.Queue)
                .Where(g => !sent.Refusals.ContainsKey(g.Key)).Select(g => SendAsync(g.Key, g, sent)));
            ids = Array.FindAll(ids, id => id.CompareTo(tasks[^1].CorrelationId) > 0);
        }
    }

    private async Task SendAsync(string queue, IEnumerable<TaskState> tasks, SentTasks sent)
    {
        var batch = new List<DispatchedTask>();
        var bytes = 0L;
        foreach (var t in tasks)
        {
            try
            {
                limits.Demand(t.Payload, t.Headers);
            }
            catch (MessageTooLargeException tooLarge)
            {
                await SetAsideAsync(t.CorrelationId, tooLarge, sent);
                continue;
            }

            var size = TaskClaimer.BytesOf(t);
            if (batch.Count > 0 && (batch.Count == MaxTasks || bytes + size > Math.Min(_maxBytes, limits.MaxChars)))
            {
                if (!await SendAsync(queue, batch, bytes, sent))
                    return;
                batch = [];
                bytes = 0;
            }

            batch.Add(new DispatchedTask(t.CorrelationId, t.Queue, t.Tier, t.Name, t.Attempt + 1, t.Payload,
                TraceHeaders.Of(t.Headers)?.Into(null))
            {
                LeaseSeconds = t.DefaultLeaseMs / 1000.0,
                Progress = size <= limits.MaxChars ? t.Progress : null, // it must not keep a task from being sent
            });
            bytes += size;
        }

        if (batch.Count > 0)
            await SendAsync(queue, batch, bytes, sent);
    }

    /// <returns>False if the queue takes nothing.</returns>
    private async Task<bool> SendAsync(string queue, List<DispatchedTask> batch, long bytes, SentTasks sent)
    {
        var result = await TrySendAsync(queue, batch);
        if (result.Outcome == SendOutcome.TooLarge && batch.Count > 1)
        {
            _maxBytes = (int)Math.Clamp(bytes / 2, MinBytes, _maxBytes);
            var half = batch.Count / 2;
            return await SendAsync(queue, batch[..half], bytes / 2, sent) && await SendAsync(queue, batch[half..], bytes / 2, sent);
        }

        if (result.Outcome == SendOutcome.TooLarge)
        {
            await SetAsideAsync(batch[0].Id, new MessageTooLargeException($"the broker refused its message: {result.Reason}"), sent);
            return true;
        }

        if (result.Outcome != SendOutcome.Confirmed)
        {
            sent.Refusals[queue] = result.Reason;
            return false;
        }

        foreach (var task in batch)
            sent.Tasks[task.Id] = true;
        return true;
    }

    private async Task<SendResult> TrySendAsync(string queue, List<DispatchedTask> batch)
    {
        if (address.RabbitMq is null)
        {
            inFlight.Sent(batch.Count);
            await (await bus.GetSendEndpoint(address.Of(queue))).Send(new DispatchTasks(batch));
            return new(SendOutcome.Confirmed);
        }

        var result = await channels.SendAsync(queue, new DispatchTasks(batch), demandQueue: true);
        if (result.Outcome != SendOutcome.NoQueue)
            return result;
        return await topology.TryDeclareAsync(queue) is { } reason
            ? new(SendOutcome.Refused, reason)
            : await channels.SendAsync(queue, new DispatchTasks(batch), demandQueue: true);
    }

    private async Task SetAsideAsync(Guid id, Exception reason, SentTasks sent)
    {
        if ((await quarantine.SetAsideAsync(Sweep.Dispatch, id, reason, CancellationToken.None)).Fault is { } unlisted)
            throw unlisted;
        _failures.Succeeded(id);
        sent.Tasks[id] = true;
    }
}

/// <summary>What became of tasks to send; the others no longer wait.</summary>
internal sealed class SentTasks
{
    /// <summary>The tasks that were sent or quarantined.</summary>
    public ConcurrentDictionary<Guid, bool> Tasks { get; } = new();

    /// <summary>The queues that took no more, with the reason.</summary>
    public ConcurrentDictionary<string, string> Refusals { get; } = new(StringComparer.Ordinal);
}
