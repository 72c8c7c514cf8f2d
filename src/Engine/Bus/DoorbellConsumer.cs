using MassTransit;
using TaskQueue.Engine.Events;

namespace TaskQueue.Engine.Bus;

/// <summary>Rings the doorbell of this process for tasks that other processes accepted.</summary>
internal sealed class DoorbellConsumer(Doorbell doorbell) : IConsumer<WorkArrived>
{
    public Task Consume(ConsumeContext<WorkArrived> context)
    {
        foreach (var arrival in context.Message.Arrivals)
            doorbell.Ring(arrival);
        return Task.CompletedTask;
    }
}
