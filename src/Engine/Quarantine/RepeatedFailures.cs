namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// What failed lately in a loop, and how often. It is left out for a while, which doubles with each failure, so that it does not hold up
/// the others.
/// </summary>
/// <typeparam name="T">Identifies what failed.</typeparam>
public sealed class RepeatedFailures<T>(TimeProvider time)
    where T : notnull
{
    /// <summary>Failures after which something is set aside.</summary>
    public const int Limit = 3;

    private const int MaxKept = 50_000;

    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(500), Longest = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<T, (int Count, long Since, TimeSpan Wait)> _failed = [];

    /// <summary>How many are left out now.</summary>
    public int Excluded
    {
        get
        {
            lock (_lock)
                return _failed.Values.Count(IsWaiting);
        }
    }

    /// <summary>Whether it failed a moment ago and is left out.</summary>
    public bool IsExcluded(T key)
    {
        lock (_lock)
            return _failed.TryGetValue(key, out var failure) && IsWaiting(failure);
    }

    /// <summary>Counts a failure.</summary>
    /// <returns>Whether it is time to set it aside.</returns>
    public bool Failed(T key)
    {
        lock (_lock)
        {
            if (_failed.Count >= MaxKept)
                Forget();
            var count = _failed.GetValueOrDefault(key).Count + 1;
            var wait = First * Math.Pow(2, Math.Min(count - 1, 20));
            _failed[key] = (count, time.GetTimestamp(), wait < Longest ? wait : Longest);
            return count >= Limit;
        }
    }

    /// <summary>It was processed, or is set aside: its failures are forgotten.</summary>
    public void Succeeded(T key)
    {
        lock (_lock)
            _failed.Remove(key);
    }

    private bool IsWaiting((int Count, long Since, TimeSpan Wait) failure) => time.GetElapsedTime(failure.Since) < failure.Wait;

    private void Forget()
    {
        foreach (var key in _failed.Where(f => !IsWaiting(f.Value)).Select(f => f.Key).ToList())
            _failed.Remove(key);
    }
}
