using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TaskQueue.Engine.Ids;

/// <summary>A stamp of an id.</summary>
/// <param name="Milliseconds">Unix time.</param>
/// <param name="Counter">Within the millisecond, from 0.</param>
/// <param name="Instance">The process that made it, from 0.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct SnowflakeId(long Milliseconds, int Counter, int Instance);

/// <summary>Makes the stamps of this process: each greater than the one before, though the clock stands still or goes back.</summary>
/// <param name="time">The clock.</param>
/// <param name="counters">Stamps in a millisecond; more borrow from the next one.</param>
/// <param name="instances">Processes that can be told apart.</param>
public sealed class SnowflakeIds(TimeProvider time, int counters, int instances)
{
    private readonly Lock _lock = new();
    private long _last; // milliseconds * counters + counter

    /// <summary>Tells the ids of processes apart, mostly: numbers are drawn and two may draw the same.</summary>
    public int Instance { get; private set; } = RandomNumberGenerator.GetInt32(instances);

    /// <summary>The next stamp.</summary>
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
    /// Another process has the same number: draws a new one, from the next millisecond on, so that ids still grow wherever it stands in
    /// them.
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
