using MassTransit;
using TaskQueue.Contracts;
using TaskQueue.Engine.Events;

namespace TaskQueue.Engine.Bus;

/// <summary>Rings the doorbell of this process for tasks that other processes accepted.</summary>
internal sealed class DoorbellConsumer(Doorbell doorbell) : IConsumer<TasksSubmitted>, IConsumer<TasksRetrying>
{
    public Task Consume(ConsumeContext<TasksSubmitted> context) => Ring(context.Message.Tasks);

    public Task Consume(ConsumeContext<TasksRetrying> context) => Ring(context.Message.Tasks);

    private Task Ring(IReadOnlyList<TaskStep> steps)
    {
        foreach (var step in steps)
            doorbell.Ring(new(step.Queue, step.Level), step.DueAt ?? step.At);
        return Task.CompletedTask;
    }
}
