using MassTransit;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Bus;

/// <summary>Declares and empties push queues with <see cref="PushTopology"/> and publishes changes with MassTransit.</summary>
internal sealed class QueueAnnouncer(PushTopology topology, IBus bus) : IQueueAnnouncer
{
    /// <summary>A caller waits for the broker.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public async Task DeclareAsync(string name)
    {
        try
        {
            await topology.DeclareAsync(name);
        }
        catch (BrokerUnreachableException fault)
        {
            throw new BrokerSilentException("the broker is unavailable", fault);
        }
    }

    public Task EmptyAsync(string name) => CallAsync(token => topology.EmptyAsync(name, token), Patience);

    public Task PublishChangedAsync(string name) => bus.Publish(new QueuesChanged([name]));

    /// <summary>Calls the broker, whose every failure is one that the caller may try again.</summary>
    /// <exception cref="BrokerSilentException">The broker is away, stands still or closes the connection.</exception>
    internal static async Task CallAsync(Func<CancellationToken, Task> call, TimeSpan patience)
    {
        using var end = new CancellationTokenSource(patience);
        try
        {
            await call(end.Token).WaitAsync(end.Token); // closing a connection takes no token
        }
        catch (Exception fault) when (fault is BrokerUnreachableException or OperationInterruptedException or TimeoutException
            or OperationCanceledException)
        {
            throw new BrokerSilentException("the broker is unavailable", fault);
        }
    }
}
