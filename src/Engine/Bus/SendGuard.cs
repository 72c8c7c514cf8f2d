using MassTransit;

namespace TaskQueue.Engine.Bus;

/// <summary>
/// Sends that end. When a connection breaks, the RabbitMQ client can leave a publish waiting for ever: it disposes the
/// semaphore of the channel that others wait for. So nobody waits for a confirm longer than a while; sending again is
/// safe, because everything on the bus may come twice.
/// </summary>
/// <param name="bus">The bus, to see whether it is connected.</param>
/// <param name="time">The clock.</param>
public sealed class SendGuard(IBusControl bus, TimeProvider time)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(5);

    /// <summary>What is given up on may still wait inside the bus and take memory, so tries grow rarer while the broker is away.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private TimeSpan _patience = Shortest;

    /// <summary>Whether every endpoint of this process is connected to its broker.</summary>
    public bool IsConnected => bus.CheckHealth().Status == BusHealthStatus.Healthy;

    /// <summary>Waits until something that is being sent is confirmed; for one caller at a time.</summary>
    /// <param name="sending">It goes on where this gives up: it must not be cancelled, which breaks the client's channel.</param>
    /// <param name="stop">Ends the wait.</param>
    /// <exception cref="TimeoutException">It was not confirmed in time and may or may not have been sent.</exception>
    public async Task ConfirmedAsync(Task sending, CancellationToken stop)
    {
        try
        {
            await sending.WaitAsync(_patience, time, stop);
            _patience = Shortest;
        }
        catch (TimeoutException fault)
        {
            var waited = _patience;
            _patience = waited * 2 < Longest ? waited * 2 : Longest;
            throw new TimeoutException($"the broker did not confirm within {waited.TotalSeconds:0} s", fault);
        }
    }
}
