using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Queues;

/// <summary>What can be done with queues.</summary>
public sealed class QueueVerbs(QueueCatalog catalog, PushTopology topology, ITaskStore store, TimeProvider time)
{
    /// <summary>
    /// Declares a queue. A push queue exists at the broker first; tasks that were accepted as pulled before every process
    /// knew of it are handed to the scheduler, so when this returns the queue is push for all its tasks.
    /// </summary>
    /// <returns>The queue, whose delivery may be another if it was declared before, and whether it is new.</returns>
    public async Task<(QueueRecord Queue, bool Created)> DeclareAsync(string name, Delivery delivery)
    {
        // Not for a pull queue, which stays one: the broker need not hear of it.
        if (delivery == Delivery.Push && (await catalog.FindAsync(name))?.Delivery != Delivery.Pull)
            await topology.DeclareAsync(name);
        var (queue, created) = await catalog.DeclareAsync(name, delivery);
        if (queue.Delivery != Delivery.Push || delivery != Delivery.Push)
            return (queue, created);
        if (created)
            await Task.Delay(QueueCatalog.MaxAge, time);
        await store.AdoptAsync(name);
        return (queue, created);
    }
}
