namespace TaskQueue.WebConsole.Overview;

/// <summary>Recent numbers of waiting tasks of each queue.</summary>
internal sealed class Sparks(TimeProvider time)
{
    private const int MaxPoints = 60;

    /// <summary>After a pause between two reads a line through its ends would be invented.</summary>
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(15);

    private Dictionary<string, long[]> _points = new(StringComparer.Ordinal);
    private long? _at;

    /// <summary>Adds a read, and returns its queues with their points.</summary>
    public List<OverviewQueue> Add(List<OverviewQueue> queues)
    {
        if (_at is { } at && time.GetElapsedTime(at) > MaxPause)
            _points = new(StringComparer.Ordinal);
        _at = time.GetTimestamp();
        var points = new Dictionary<string, long[]>(queues.Count, StringComparer.Ordinal);
        foreach (var queue in queues)
        {
            var before = _points.GetValueOrDefault(queue.Queue, []);
            points[queue.Queue] = [.. before.AsSpan(Math.Max(0, before.Length - MaxPoints + 1)), queue.Waiting];
        }

        _points = points;
        return queues.ConvertAll(queue => queue with { Spark = points[queue.Queue] });
    }
}
