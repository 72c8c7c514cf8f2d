namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Tracks recent failures in a loop. What failed is excluded for a while, which doubles with each failure, so that it does not delay the
/// rest.
/// </summary>
/// <typeparam name="T">Identifies what failed.</typeparam>
public sealed class RepeatedFailures<T>(TimeProvider time)
    where T : notnull
{
    /// <summary>Number of failures after which something is quarantined.</summary>
    public const int Limit = 3;

    private const int MaxKept = 50_000;

    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(500), Longest = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<T, (int Count, long Since, TimeSpan Wait)> _failed = [];

    /// <summary>Number of keys excluded now.</summary>
    public int Excluded
    {
        get
        {
            lock (_lock)
                return _failed.Values.Count(IsWaiting);
        }
    }

    /// <summary>Whether a key failed recently and is excluded.</summary>
    public bool IsExcluded(T key)
    {
        lock (_lock)
            return _failed.TryGetValue(key, out var failure) && IsWaiting(failure);
    }

    /// <summary>Counts a failure.</summary>
    /// <returns>Whether the limit is reached.</returns>
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

    /// <summary>Forgets the failures of a key that was processed or quarantined.</summary>
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
