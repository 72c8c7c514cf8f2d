using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TaskQueue.Engine.Ids;

/// <summary>The components of an id.</summary>
/// <param name="Milliseconds">Unix time in milliseconds.</param>
/// <param name="Counter">Counter within the millisecond, from 0.</param>
/// <param name="Instance">The process that generated it, from 0.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct SnowflakeId(long Milliseconds, int Counter, int Instance);

/// <summary>Generates the ids of this process, strictly increasing even if the clock stalls or goes back.</summary>
/// <param name="time">The clock.</param>
/// <param name="counters">Ids a millisecond; more borrow from the next one.</param>
/// <param name="instances">Number of instances.</param>
public sealed class SnowflakeIds(TimeProvider time, int counters, int instances)
{
    private readonly Lock _lock = new();
    private long _last; // milliseconds * counters + counter

    /// <summary>Distinguishes the ids of processes. The number is random, so two processes may have the same.</summary>
    public int Instance { get; private set; } = RandomNumberGenerator.GetInt32(instances);

    /// <summary>Generates the next id.</summary>
    public SnowflakeId Next()
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        lock (_lock)
        {
            _last = Math.Max(now * counters, _last + 1);
            return new SnowflakeId(_last / counters, (int)(_last % counters), Instance);
        }
    }

    /// <summary>
    /// Draws a new instance number after a collision with another process. The next id uses the next millisecond, so that ids still
    /// increase wherever the instance is in them.
    /// </summary>
    public void DrawInstance()
    {
        lock (_lock)
        {
            Instance = RandomNumberGenerator.GetInt32(instances);
            _last += counters - 1 - (_last % counters);
        }
    }
}
