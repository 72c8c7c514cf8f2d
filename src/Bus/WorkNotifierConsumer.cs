using MassTransit;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus;

/// <summary>Wakes the waiting workers of this process for tasks accepted by other processes.</summary>
internal sealed class WorkNotifierConsumer(WorkNotifier workNotifier, ITaskStore store, DependencyHealth dependencies)
    : IConsumer<WorkAvailable>
{
    public Task Consume(ConsumeContext<WorkAvailable> context)
    {
        dependencies.Broker.ReportSuccess();
        foreach (var arrival in context.Message.Arrivals)
        {
            store.NoteWaiting(new QueueTier(arrival.Queue, arrival.Tier), arrival.Freed > 0 ? null : arrival.FirstDue);
            workNotifier.Notify(arrival);
        }

        return Task.CompletedTask;
    }
}

/// <summary>Invalidates cached queues that another process changed.</summary>
internal sealed class QueuesChangedConsumer(QueueCatalog catalog, WorkNotifier workNotifier) : IConsumer<QueuesChanged>
{
    public Task Consume(ConsumeContext<QueuesChanged> context)
    {
        catalog.Invalidate();
        foreach (var name in context.Message.Names)
            workNotifier.NotifyAll(name);
        return Task.CompletedTask;
    }
}
