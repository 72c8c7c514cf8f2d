using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Metrics of the quarantined items of the whole database, and of those that this process added.</summary>
public sealed class QuarantineMetrics
{
    private readonly IQuarantineStore _store;
    private readonly DependencyHealth _dependencies;
    private readonly TimeProvider _time;
    private readonly TimeSpan _interval;
    private readonly Counter<long> _additions;
    private readonly HashSet<string> _seen = new(QuarantineKinds.All, StringComparer.Ordinal); // every kind is reported, even at zero
    private readonly Lock _lock = new();
    private Task _reading = Task.CompletedTask;
    private long? _readAt;
    private volatile IReadOnlyList<Measurement<long>> _shown = [];

    /// <summary>Creates the instruments.</summary>
    public QuarantineMetrics(IQuarantineStore store, IMeterFactory meters, IOptions<TelemetryOptions> options,
        DependencyHealth dependencies, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(meters);
        ArgumentNullException.ThrowIfNull(options);
        (_store, _dependencies, _time, _interval) = (store, dependencies, time, TimeSpan.FromSeconds(options.Value.RefreshSeconds));
        var meter = meters.Create(TaskQueueMeter.Name);
        _additions = meter.CreateCounter<long>("taskqueue.quarantine.additions", "{item}",
            "Items that this process quarantined because they cannot be processed.");
        meter.CreateObservableGauge("taskqueue.quarantine", Show, "{item}", "Quarantined items in the whole database.");
    }

    /// <summary>Counts a quarantined item.</summary>
    internal void Added(string kind) => _additions.Add(1, new KeyValuePair<string, object?>("kind", kind));

    /// <summary>Refreshes the counts from the database, if due.</summary>
    public Task RefreshAsync()
    {
        lock (_lock)
        {
            if (_reading.IsCompleted && (_readAt is not { } at || _time.GetElapsedTime(at) >= _interval))
                _reading = Task.Run(ReadAsync);
            return _reading;
        }
    }

    private IEnumerable<Measurement<long>> Show()
    {
        _ = RefreshAsync();
        return _shown;
    }

    private async Task ReadAsync()
    {
        try
        {
            var counts = await _store.CountAsync();
            _seen.UnionWith(counts.Keys);
            _shown = [.. _seen.Select(kind =>
                new Measurement<long>(counts.GetValueOrDefault(kind), new KeyValuePair<string, object?>("kind", kind)))];
        }
#pragma warning disable CA1031 // such as an unreachable database: the previous counts are shown
        catch (Exception fault)
#pragma warning restore CA1031
        {
            _dependencies.TryHandle(fault);
        }

        lock (_lock)
            _readAt = _time.GetTimestamp();
    }
}
