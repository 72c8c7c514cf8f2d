using System.Diagnostics.Metrics;

namespace TaskQueue.Client;

/// <summary>Metrics of outboxes.</summary>
public static class OutboxTelemetry
{
    /// <summary>Name of the <see cref="Meter"/>; pass it to OpenTelemetry's <c>AddMeter</c>.</summary>
    public const string MeterName = "TaskQueue.Client.Outbox";
}

/// <summary>The instruments, with the name of the context as <c>context</c>. The relay reads the gauges now and then.</summary>
internal sealed class OutboxMetrics
{
    private readonly Counter<long> _sent, _setAside;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, OutboxStatistics> _read = [];

    public OutboxMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(OutboxTelemetry.MeterName);
        _sent = meter.CreateCounter<long>("taskqueue.client.outbox.sent", "{task}", "Tasks of the outbox that were accepted.");
        _setAside = meter.CreateCounter<long>("taskqueue.client.outbox.set_aside", "{task}", "Tasks of the outbox that were set aside.");
        meter.CreateObservableGauge("taskqueue.client.outbox.pending", () =>
            All(s => (long)s.Pending), "{task}", "Tasks in the outbox that wait to be sent.");
        meter.CreateObservableGauge("taskqueue.client.outbox.oldest_age", () =>
            All(s => s.OldestAge.TotalSeconds), "s", "Age of the oldest task that waits to be sent; 0 if none does.");
        meter.CreateObservableGauge("taskqueue.client.outbox.aside", () =>
            All(s => (long)s.SetAside), "{task}", "Tasks in the outbox that are set aside.");
    }

    public void Sent(string context, int count) => _sent.Add(count, Tag(context));

    public void SetAside(string context, int count) => _setAside.Add(count, Tag(context));

    public void Show(string context, OutboxStatistics read)
    {
        lock (_lock)
            _read[context] = read;
    }

    /// <summary>Shows nothing of an outbox that cannot be read.</summary>
    public void Hide(string context)
    {
        lock (_lock)
            _read.Remove(context);
    }

    private List<Measurement<T>> All<T>(Func<OutboxStatistics, T> value)
        where T : struct
    {
        lock (_lock)
            return [.. _read.Select(r => new Measurement<T>(value(r.Value), Tag(r.Key)))];
    }

    private static KeyValuePair<string, object?> Tag(string context) => new("context", context);
}
