using System.Collections.Concurrent;

namespace TaskQueue.Engine.Telemetry;

/// <summary>
/// The label values that metrics report separately: the first ones seen. Bounds memory for a label whose values callers choose.
/// </summary>
/// <param name="max">Maximum number of values.</param>
internal sealed class BoundedLabels<T>(int max)
    where T : notnull
{
    private readonly ConcurrentDictionary<T, byte> _known = new();
    private readonly Lock _lock = new();
    private int _count;

    /// <summary>Whether a value is, or now becomes, one of them.</summary>
    public bool Admits(T value) => _known.ContainsKey(value) || (Volatile.Read(ref _count) < max && Add(value));

    private bool Add(T value)
    {
        lock (_lock)
        {
            if (_known.ContainsKey(value))
                return true;
            if (_count == max)
                return false;
            _known[value] = 0;
            Volatile.Write(ref _count, _count + 1);
            return true;
        }
    }
}

/// <summary>The label value for everything not reported separately.</summary>
internal static class Labels
{
    public const string Other = "other";
}
