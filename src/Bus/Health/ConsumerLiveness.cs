using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using MassTransit;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Health;

/// <summary>Liveness of the receive endpoints of this process on RabbitMQ.</summary>
public sealed class ConsumerLiveness : IReceiveObserver
{
    private readonly ConcurrentDictionary<string, EndpointProbe> _probes = new(StringComparer.Ordinal); // by queue
    private readonly OutageGracePeriod _gracePeriod;
    private readonly TimeProvider _time;

    /// <summary>Creates the gauge.</summary>
    public ConsumerLiveness(OutageGracePeriod gracePeriod, IMeterFactory meters, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(meters);
        (_gracePeriod, _time) = (gracePeriod, time);
        meters.Create(TaskQueueMeter.Name).CreateObservableGauge(
            "taskqueue.canary.age", Ages, "s",
            "How long canaries have been sent to a receive endpoint of this process without any delivery; 0 while it consumes.");
    }

    internal IEnumerable<EndpointProbe> Probes => _probes.Values;

    /// <summary>Watches an endpoint that must consume.</summary>
    /// <param name="name">Name in metrics.</param>
    /// <param name="input">Its address.</param>
    internal void Watch(string name, Uri input) => _probes.TryAdd(QueueOf(input), new EndpointProbe(name, QueueOf(input), _time));

    /// <summary>Records that the endpoint of a queue is at work, though it accepts no more for now.</summary>
    public void IsBusy(string queue)
    {
        if (_probes.TryGetValue(queue, out var probe))
            probe.Heard();
    }

    /// <summary>Same by the address of the endpoint.</summary>
    public void IsBusy(Uri input) => IsBusy(QueueOf(input));

    /// <summary>The endpoints that are silent outside of outages, with the duration.</summary>
    internal IEnumerable<(EndpointProbe Probe, TimeSpan Silence)> Silent() =>
        Probes.Select(e => (e, _gracePeriod.Counted(e.Silence, needsBroker: true)));

    Task IReceiveObserver.PreReceive(ReceiveContext context) => Heard(context);

    Task IReceiveObserver.PostReceive(ReceiveContext context) => Heard(context);

    Task IReceiveObserver.PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType) => Task.CompletedTask;

    Task IReceiveObserver.ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception) =>
        Task.CompletedTask;

    Task IReceiveObserver.ReceiveFault(ReceiveContext context, Exception exception) => Heard(context);

    private Task Heard(ReceiveContext context)
    {
        IsBusy(context.InputAddress);
        return Task.CompletedTask;
    }

    /// <summary>The last segment of a MassTransit address is the queue.</summary>
    private static string QueueOf(Uri input) => Uri.UnescapeDataString(input.Segments[^1]);

    private IEnumerable<Measurement<double>> Ages() =>
        Probes.Select(e => new Measurement<double>(e.Silence.TotalSeconds, new KeyValuePair<string, object?>("endpoint", e.Name)));
}
