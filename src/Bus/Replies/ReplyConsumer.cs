using MassTransit;
using TaskQueue.Bus.Health;
using TaskQueue.Engine.Replies;

namespace TaskQueue.Bus.Replies;

/// <summary>Delivers replies from other processes to the callers of this one.</summary>
internal sealed class ReplyConsumer(CompletionRouter router, ConsumerLiveness liveness) : IConsumer<TaskReplies>
{
    public async Task Consume(ConsumeContext<TaskReplies> context)
    {
        foreach (var reply in context.Message.Replies)
        {
            await router.DeliverOrDropAsync(reply);
            liveness.IsBusy(context.ReceiveContext.InputAddress); // callers may read slowly
        }
    }
}
