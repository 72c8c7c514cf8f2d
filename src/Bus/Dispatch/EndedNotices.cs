using System.Collections.Concurrent;
using TaskQueue.Bus.Connection;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Dispatch;

/// <summary>
/// Notifies the workers of push queues of attempts to abandon. They see only the events of their own queue. A notice is a hint: nothing
/// waits for long because the queue of a worker is full or does not answer.
/// </summary>
internal sealed class EndedNotices(
    WorkerChannels channels, PushTopology topology, MessageLimits limits, QueueCatalog queues, BusAddress address, TimeProvider time)
{
    /// <summary>Maximum wait for the queues of workers, and how long nothing is sent where one did not answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1), Pause = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, long> _silent = new(StringComparer.Ordinal); // when, by queue

    /// <summary>Sends the notices of those events that end an attempt.</summary>
    public async Task SendAsync(IEnumerable<TaskEvent> events)
    {
        var ended = events.Where(
            e => e.Type is TaskEventType.Failed or TaskEventType.Retrying or TaskEventType.Snoozed or TaskEventType.Cancelled).ToList();
        if (address.RabbitMq is null || ended.Count == 0)
            return;
        var known = await queues.AllAsync();
        await Task.WhenAll(ended.GroupBy(e => e.Queue)
            .Where(g => known.GetValueOrDefault(g.Key)?.Delivery == Delivery.Push && g.Key != BuiltInQueues.Tasks && !IsSilent(g.Key))
            .Select(g => TrySendAsync(g.Key, g)));
    }

    private async Task TrySendAsync(string queue, IEnumerable<TaskEvent> ended)
    {
        var sending = SendAsync(queue, ended);
        try
        {
            await sending.WaitAsync(Patience, time);
        }
        catch (TimeoutException) when (!sending.IsCompleted)
        {
            _silent[queue] = time.GetTimestamp();
            _ = sending.ContinueWith(static s => _ = s.Exception, TaskScheduler.Default);
        }
    }

    private async Task SendAsync(string queue, IEnumerable<TaskEvent> ended)
    {
        foreach (var group in ended.GroupBy(e => e.Type))
        {
            foreach (var steps in limits.Steps(group))
            {
                var result = await SendAsync(queue, group.Key, steps);
                if (result.Outcome == SendOutcome.NoQueue && await topology.TryDeclareAsync(queue) is null)
                    result = await SendAsync(queue, group.Key, steps);

                if (result.Outcome == SendOutcome.Silent)
                    return;
            }
        }
    }

    private Task<SendResult> SendAsync(string queue, TaskEventType type, List<TaskStep> steps)
    {
        var exchange = Addresses.EndedOf(queue);
        return type switch
        {
            TaskEventType.Failed => channels.SendAsync(exchange, new TasksFailed(steps), demandQueue: false),
            TaskEventType.Cancelled => channels.SendAsync(exchange, new TasksCancelled(steps), demandQueue: false),
            _ => channels.SendAsync(exchange, new TasksRetrying(steps), demandQueue: false),
        };
    }

    private bool IsSilent(string queue)
    {
        if (!_silent.TryGetValue(queue, out var at))
            return false;
        if (time.GetElapsedTime(at) < Pause)
            return true;
        _silent.TryRemove(queue, out _);
        return false;
    }
}
