using MassTransit;
using TaskQueue.Engine.Replies;

namespace TaskQueue.Engine.Bus;

/// <summary>Hands what other processes heard to the callers of this one. One that does not read for long loses its place: it must not hold up the others.</summary>
internal sealed class ReplyConsumer(ReplyDesk desk, TimeProvider time) : IConsumer<TaskReplies>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task Consume(ConsumeContext<TaskReplies> context)
    {
        foreach (var reply in context.Message.Replies)
            await desk.DeliverOrDropAsync(reply, Patience, time);
    }
}
