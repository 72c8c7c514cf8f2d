using MassTransit;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Replies;

namespace TaskQueue.Engine.Bus;

/// <summary>Hands what other processes heard to the callers of this one.</summary>
internal sealed class ReplyConsumer(CompletionRouter router, ConsumerLiveness liveness) : IConsumer<TaskReplies>
{
    public async Task Consume(ConsumeContext<TaskReplies> context)
    {
        foreach (var reply in context.Message.Replies)
        {
            await router.DeliverOrDropAsync(reply);
            liveness.IsBusy(context.ReceiveContext.InputAddress); // many callers may read slowly
        }
    }
}
