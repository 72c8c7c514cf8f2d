using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Health;

/// <summary>The loops of this process. A loop may have several heartbeats, such as one for each partition; the oldest counts.</summary>
public sealed class LoopHeartbeats
{
    private readonly ConcurrentDictionary<string, ConcurrentBag<LoopHeartbeat>> _loops = new(StringComparer.Ordinal);
    private readonly OutageGracePeriod _gracePeriod;
    private readonly TimeProvider _time;

    /// <summary>Makes the gauge.</summary>
    public LoopHeartbeats(OutageGracePeriod gracePeriod, IMeterFactory meters, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(meters);
        (_gracePeriod, _time) = (gracePeriod, time);
        meters.Create(TaskQueueMeter.Name)
            .CreateObservableGauge("taskqueue.loop.age", Ages, "s",
                "Since when a loop of this process has not finished a turn, or all its runs failed; 0 while it waits for work.");
    }

    /// <summary>A heartbeat for a loop, which beats from now on.</summary>
    /// <param name="loop">The class that runs it.</param>
    /// <param name="needsBroker">Whether its turns wait for the broker, so that one that is away explains its silence.</param>
    public LoopHeartbeat Of(Type loop, bool needsBroker = false)
    {
        var heartbeat = new LoopHeartbeat(_time, needsBroker);
        _loops.GetOrAdd(NameOf(loop), _ => []).Add(heartbeat);
        return heartbeat;
    }

    /// <summary>The name of a loop, in metrics and in the answer of <c>/health/ready</c>.</summary>
    internal static string NameOf(Type loop) => JsonNamingPolicy.KebabCaseLower.ConvertName(loop.Name);

    /// <summary>How long a loop has been silent, or has failed each turn, while nothing is away: zero where it does not run here.</summary>
    internal TimeSpan SilenceOf(string loop) =>
        _loops.TryGetValue(loop, out var oldest) ? oldest.Max(p => _gracePeriod.Counted(Longer(p), p.NeedsBroker)) : TimeSpan.Zero;

    /// <summary>Why a loop fails each turn; null where it does not.</summary>
    internal Exception? FaultOf(string loop) =>
        _loops.TryGetValue(loop, out var oldest) ? oldest.OrderByDescending(p => p.Failing).First().Fault : null;

    private static TimeSpan Longer(LoopHeartbeat heartbeat) => heartbeat.Failing > heartbeat.Age ? heartbeat.Failing : heartbeat.Age;

    private IEnumerable<Measurement<double>> Ages() =>
        _loops.Select(l => new Measurement<double>(l.Value.Max(Longer).TotalSeconds, new KeyValuePair<string, object?>("loop", l.Key)));
}
