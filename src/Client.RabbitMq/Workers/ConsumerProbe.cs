using System.Diagnostics.CodeAnalysis;
using MassTransit;

namespace TaskQueue.Client;

/// <summary>Periodically sends a worker a message over its own bus; only an arriving message proves that the worker is reachable.</summary>
[RequiresUnreferencedCode("MassTransit creates messages by reflection")]
[RequiresDynamicCode("MassTransit creates messages by reflection")]
internal sealed class ConsumerProbe(TimeSpan unresponsiveAfter, ConnectionHealth connectionHealth, TimeProvider time)
{
    /// <summary>Number of probes within UnresponsiveAfter.</summary>
    private const int Probes = 6;

    private static readonly TimeSpan LongestConfirm = TimeSpan.FromSeconds(10);

    private IBusControl? _bus;
    private Uri? _own;

    /// <summary>Adds the receiver to an endpoint consumed by this process only.</summary>
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
#pragma warning disable CA1031 // any failure means that the broker is unavailable
            catch (Exception fault)
#pragma warning restore CA1031
            {
                connectionHealth.Failed($"the broker did not accept a message: {fault.Message}", isAway: true);
            }

            await Task.Delay(unresponsiveAfter / Probes, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        connectionHealth.Rest();
    }

    private Task ArrivedAsync()
    {
        if (_bus?.CheckHealth() is { Status: not BusHealthStatus.Healthy } health)
            connectionHealth.Failed($"the worker does not consume: {health.Description}", isAway: false);
        else
            connectionHealth.Heard();
        return Task.CompletedTask;
    }

    [ConfigureConsumeTopology(false)]
    [ExcludeFromTopology]
    internal sealed record ProbeMessage;
}
