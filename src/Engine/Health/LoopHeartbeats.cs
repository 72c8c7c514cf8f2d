using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Health;

/// <summary>Heartbeats of the loops of this process. A loop may have several, such as one for each partition; the oldest counts.</summary>
public sealed class LoopHeartbeats
{
    private readonly ConcurrentDictionary<string, ConcurrentBag<LoopHeartbeat>> _loops = new(StringComparer.Ordinal);
    private readonly OutageGracePeriod _gracePeriod;
    private readonly TimeProvider _time;

    /// <summary>Creates the gauge.</summary>
    public LoopHeartbeats(OutageGracePeriod gracePeriod, IMeterFactory meters, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(meters);
        (_gracePeriod, _time) = (gracePeriod, time);
        meters.Create(TaskQueueMeter.Name)
            .CreateObservableGauge("taskqueue.loop.age", Ages, "s",
                "How long a loop of this process has not completed an iteration, or all its iterations have failed; 0 while it is idle.");
    }

    /// <summary>Creates a heartbeat for a loop, starting now.</summary>
    /// <param name="loop">The class that runs the loop.</param>
    public LoopHeartbeat Of(Type loop)
    {
        var heartbeat = new LoopHeartbeat(_time);
        _loops.GetOrAdd(NameOf(loop), _ => []).Add(heartbeat);
        return heartbeat;
    }

    /// <summary>The name of a loop in metrics and in the response of <c>/health/ready</c>.</summary>
    internal static string NameOf(Type loop) => JsonNamingPolicy.KebabCaseLower.ConvertName(loop.Name);

    /// <summary>How long a loop has been silent or failing, outside of outages; zero if it does not run here.</summary>
    internal TimeSpan SilenceOf(string loop) =>
        _loops.TryGetValue(loop, out var oldest) ? oldest.Max(p => _gracePeriod.Counted(Longer(p), needsBroker: false)) : TimeSpan.Zero;

    /// <summary>The exception of a loop whose iterations all fail; otherwise null.</summary>
    internal Exception? FaultOf(string loop) =>
        _loops.TryGetValue(loop, out var oldest) ? oldest.OrderByDescending(p => p.Failing).First().Fault : null;

    private static TimeSpan Longer(LoopHeartbeat heartbeat) => heartbeat.Failing > heartbeat.Age ? heartbeat.Failing : heartbeat.Age;

    private IEnumerable<Measurement<double>> Ages() =>
        _loops.Select(l => new Measurement<double>(l.Value.Max(Longer).TotalSeconds, new KeyValuePair<string, object?>("loop", l.Key)));
}
