using TaskQueue.Bus.Dispatch;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Outbox;

/// <summary>
/// Dispatches the tasks of each event once, also if its page is published again, and reads ahead of the outbox dispatcher while a
/// subscriber's queue holds up a page: workers of push queues need not wait for strangers.
/// </summary>
internal sealed class DispatchAhead(ITaskStore store, TaskDispatcher dispatcher, TimeProvider time)
{
    private const int MaxRead = 500;

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    private volatile long[] _dispatched = new long[TaskEvent.Partitions]; // the last event of each partition

    /// <summary>
    /// This process dispatches the outbox from these offsets on. Another may have done so since; and after a failover other events have
    /// the ids of lost ones.
    /// </summary>
    public void Begin(long[] offsets) => _dispatched = [.. offsets];

    /// <summary>Dispatches the tasks of a page, and of the events after it until the steps of the page are published.</summary>
    public async Task DispatchAsync(IReadOnlyList<TaskEvent> page, Task steps, CancellationToken cancellationToken)
    {
        var dispatched = _dispatched;
        await DispatchAsync(page, dispatched);
        while (!steps.IsCompleted)
        {
            await Task.WhenAny(steps, Task.Delay(LookAgain, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
            if (!steps.IsCompleted)
                await DispatchAsync(await store.ReadEventsAsync(dispatched, MaxRead), dispatched);
        }
    }

    private async Task DispatchAsync(IReadOnlyList<TaskEvent> events, long[] dispatched)
    {
        var left = events.Where(e => e.Id > dispatched[e.Partition]).ToList();
        await dispatcher.DispatchAsync(left);
        foreach (var e in left)
            dispatched[e.Partition] = Math.Max(dispatched[e.Partition], e.Id);
    }
}
