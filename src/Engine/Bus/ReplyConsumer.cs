using MassTransit;
using TaskQueue.Engine.Replies;

namespace TaskQueue.Engine.Bus;

/// <summary>Hands what other processes heard to the callers of this one.</summary>
internal sealed class ReplyConsumer(ReplyDesk desk) : IConsumer<TaskReplies>
{
    public async Task Consume(ConsumeContext<TaskReplies> context)
    {
        foreach (var reply in context.Message.Replies)
            await desk.DeliverOrDropAsync(reply);
    }
}
