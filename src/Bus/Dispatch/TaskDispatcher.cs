using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Dispatch;

/// <summary>
/// Dispatches the tasks of events and notifies workers of attempts that ended. Tasks of queues that take nothing are left to
/// <see cref="HeldQueues"/>.
/// </summary>
internal sealed class TaskDispatcher(TaskSender sender, HeldQueues held, EndedNotices notices)
{
    /// <summary>Returns when every task is confirmed by the broker, quarantined or held.</summary>
    /// <exception cref="Engine.BrokerSilentException">The broker is away, or accepts nothing at all.</exception>
    public Task DispatchAsync(IReadOnlyList<TaskEvent> events) => Task.WhenAll(notices.SendAsync(events), SendAsync(events));

    private async Task SendAsync(IReadOnlyList<TaskEvent> events)
    {
        var queues = new Dictionary<Guid, string>();
        foreach (var e in events.Where(e => e.Dispatch))
            queues[e.TaskId] = e.Queue;
        // Each part looks anew: a queue that does not answer costs its timeout once.
        foreach (var part in queues.Keys.Order().Chunk(MessageLimits.MaxEntries))
        {
            var tasks = Array.FindAll(part, t => !held.TryAdd(queues[t], t));
            if (tasks.Length == 0)
                continue;
            var sent = await sender.SendAsync(tasks);
            foreach (var (queue, reason) in sent.Refusals)
                held.Hold(queue, reason, tasks.Where(t => queues[t] == queue && !sent.Tasks.ContainsKey(t)));
        }
    }
}
