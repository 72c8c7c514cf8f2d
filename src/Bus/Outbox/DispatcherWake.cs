using MassTransit;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Outbox;

/// <summary>Tells the process that dispatches the outbox of commits of this one.</summary>
internal sealed class DispatcherWake(IBus bus, BusAddress address, ConfirmTimeout confirmTimeout)
{
    /// <summary>The dispatcher looks each second anyway: nothing is worth keeping longer.</summary>
    private static readonly TimeSpan Worth = TimeSpan.FromSeconds(1);

    /// <summary>Returns when the broker has confirmed, so that the commits of meanwhile share the next message.</summary>
    public async Task SendAsync(string holder, CancellationToken cancellationToken)
    {
        if (address.RabbitMq is null)
            return;
        var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{TaskReplies.Exchange}?type=direct"));
        await confirmTimeout.ConfirmedAsync(() => endpoint.Send(new EventsCommitted(), c =>
        {
            c.SetRoutingKey(holder);
            c.Durable = false;
            c.TimeToLive = Worth;
        }), cancellationToken);
    }
}

/// <summary>Wakes the outbox dispatcher of this process.</summary>
internal sealed class EventsCommittedConsumer(PostCommitNotifier postCommit) : IConsumer<EventsCommitted>
{
    public Task Consume(ConsumeContext<EventsCommitted> context)
    {
        postCommit.Events.Set();
        return Task.CompletedTask;
    }
}
