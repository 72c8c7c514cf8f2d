using System.Collections.Concurrent;

namespace TaskQueue.Engine.Telemetry;

/// <summary>
/// The values of a label that are told apart: those that came first. A label that anybody can invent would else fill the memory.
/// </summary>
/// <param name="max">At most so many.</param>
internal sealed class BoundedLabels<T>(int max)
    where T : notnull
{
    private readonly ConcurrentDictionary<T, byte> _known = new();
    private readonly Lock _lock = new();
    private int _count;

    /// <summary>Whether a value is one of them, or becomes one.</summary>
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

/// <summary>The value of a label for all that is not told apart.</summary>
internal static class Labels
{
    public const string Other = "other";
}
