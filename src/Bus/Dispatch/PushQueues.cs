using TaskQueue.Bus.Connection;
using TaskQueue.Engine.Notifications;

namespace TaskQueue.Bus.Dispatch;

/// <summary>Tells what this process knows of push queues, and asks the broker for the rest.</summary>
internal sealed class PushQueues(HeldQueues held, WorkerChannels channels, BusAddress address) : IPushQueues
{
    public async Task<PushQueueState> ReadAsync(string queue)
    {
        if (held.Find(queue) is var (since, reason))
            return new PushQueueState(since, reason, null, null);
        var count = address.RabbitMq is null ? null : await channels.CountAsync(queue);
        return new PushQueueState(null, "", count?.MessageCount, count?.ConsumerCount);
    }
}
