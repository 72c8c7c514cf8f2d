using System.Diagnostics.CodeAnalysis;
using MassTransit;

namespace TaskQueue.Client;

/// <summary>Sends a worker a message over its own bus now and then: only one that arrives shows that the worker can be reached.</summary>
[RequiresUnreferencedCode("MassTransit makes its messages by reflection")]
[RequiresDynamicCode("MassTransit makes its messages by reflection")]
internal sealed class ConsumerProbe(TimeSpan unresponsiveAfter, ConnectionHealth connectionHealth, TimeProvider time)
{
    /// <summary>How many in the time after which a worker takes itself for unresponsive.</summary>
    private const int Probes = 6;

    private static readonly TimeSpan LongestConfirm = TimeSpan.FromSeconds(10);

    private IBusControl? _bus;
    private Uri? _own;

    /// <summary>Adds the receiver to an endpoint that no other process consumes.</summary>
    public void ReceiveAt(IReceiveEndpointConfigurator endpoint)
    {
        _own = endpoint.InputAddress;
        endpoint.Handler<ProbeMessage>(_ => ArrivedAsync());
    }

    public async Task RunAsync(IBusControl bus, CancellationToken cancellationToken)
    {
        _bus = bus;
        var patience = unresponsiveAfter / 2 < LongestConfirm ? unresponsiveAfter / 2 : LongestConfirm;
        while (!cancellationToken.IsCancellationRequested)
        {
            var at = time.GetTimestamp();
            try
            {
                var endpoint = await bus.GetSendEndpoint(_own!).WaitAsync(patience, time, cancellationToken);
                await endpoint.Send(new ProbeMessage(), CancellationToken.None).WaitAsync(patience, time, cancellationToken);
                if (!connectionHealth.HasHeardSince(at))
                    connectionHealth.Failed("the broker takes messages for it, but none arrives", isAway: false);
            }
#pragma warning disable CA1031 // whatever it is, the broker is not there for us
            catch (Exception fault)
#pragma warning restore CA1031
            {
                connectionHealth.Failed($"the broker did not take a message: {fault.Message}", isAway: true);
            }

            await Task.Delay(unresponsiveAfter / Probes, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        connectionHealth.Rest();
    }

    private Task ArrivedAsync()
    {
        if (_bus?.CheckHealth() is { Status: not BusHealthStatus.Healthy } health)
            connectionHealth.Failed($"it does not consume: {health.Description}", isAway: false);
        else
            connectionHealth.Heard();
        return Task.CompletedTask;
    }

    [ConfigureConsumeTopology(false)]
    [ExcludeFromTopology]
    internal sealed record ProbeMessage;
}
